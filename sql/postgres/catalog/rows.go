//go:build duckdb_arrow

package catalog

import (
	"net"
	"strconv"
	"strings"
	"time"

	"tarn/embedded/duck"
)

// ownTables are Tarn's, which stand behind the functions of PostgreSQL's catalog. Their columns have names that no
// statement has, for those functions are written out as subqueries within it.
const ownTables = "\ntarn_names 16000 v tarn_kind:t tarn_oid:l tarn_sub:l tarn_name:t tarn_bare:t tarn_full:t tarn_visible:b tarn_rank:l tarn_parts:t[] tarn_bytes:l\n"

// The kinds of tarn_names.
const (
	ofClass      = "class"
	ofNamespace  = "namespace"
	ofIndex      = "index"
	ofConstraint = "constraint"
	ofView       = "view"
	ofComment    = "comment"
	ofRole       = "role"
	ofPath       = "path"
	ofFunction   = "function"
	ofSetting    = "setting"
)

// makers are those of the tables that have rows.
func (c *catalog) makers() map[string]func(*model) []row {
	out := map[string]func(*model) []row{
		"pg_namespace": (*model).namespacesRows, "pg_class": (*model).classes, "pg_attribute": (*model).attributes, "pg_attrdef": (*model).defaults, "pg_type": (*model).typeRows,
		"pg_index": (*model).indexes, "pg_constraint": (*model).constraints, "pg_description": (*model).descriptions, "pg_proc": (*model).procs,
		"pg_tables": (*model).tables, "pg_views": (*model).views, "pg_indexes": (*model).indexTexts, "pg_settings": (*model).settings,
		"pg_stat_activity": (*model).activity, "pg_stat_user_tables": (*model).userTables, "tarn_names": (*model).names,
	}
	fixed := func(rows ...row) func(*model) []row { return func(*model) []row { return rows } }
	out["pg_am"] = fixed(row{"oid": int64(oidHeap), "amname": "heap", "amtype": "t"}, row{"oid": int64(oidBtree), "amname": "btree", "amtype": "i"})
	out["pg_collation"] = fixed(
		row{"oid": int64(oidCollation), "collname": "default", "collnamespace": int64(oidPgCatalog), "collowner": int64(oidOwner), "collprovider": "d", "collisdeterministic": true, "collencoding": int64(-1)},
		row{"oid": int64(950), "collname": "C", "collnamespace": int64(oidPgCatalog), "collowner": int64(oidOwner), "collprovider": "c", "collisdeterministic": true, "collencoding": int64(-1)})
	out["pg_language"] = fixed(row{"oid": int64(12), "lanname": "internal", "lanowner": int64(oidOwner)}, row{"oid": int64(14), "lanname": "sql", "lanowner": int64(oidOwner), "lanpltrusted": true})
	out["pg_tablespace"] = fixed(row{"oid": int64(oidTablespace), "spcname": "pg_default", "spcowner": int64(oidOwner)})
	out["pg_timezone_names"] = fixed(row{"name": "UTC", "abbrev": "UTC", "is_dst": false, "utc_offset": "00:00:00"})
	roles := func(m *model) []row {
		return []row{{"oid": int64(oidOwner), "rolname": m.user, "rolinherit": true, "rolcanlogin": true, "rolconnlimit": int64(-1)}}
	}
	out["pg_roles"], out["pg_authid"] = roles, roles
	out["pg_user"] = func(m *model) []row {
		return []row{{"usename": m.user, "usesysid": int64(oidOwner), "usecreatedb": false, "usesuper": false, "userepl": false, "usebypassrls": false}}
	}
	out["pg_database"] = func(m *model) []row {
		return []row{{
			"oid": int64(oidDatabase), "datname": m.o.Database, "datdba": int64(oidOwner), "encoding": int64(6), "datlocprovider": "c", "datallowconn": true,
			"datconnlimit": int64(-1), "dattablespace": int64(oidTablespace), "datcollate": "C", "datctype": "C",
		}}
	}
	for name, of := range informationMakers() {
		out[informationSchema+"."+name] = of
	}
	return out
}

func (m *model) namespacesRows() (rows []row) {
	for _, n := range m.namespaces {
		rows = append(rows, row{"oid": n.oid, "nspname": n.name, "nspowner": int64(oidOwner)})
	}
	return rows
}

func (m *model) classes() (rows []row) {
	for i := range m.relations {
		r := &m.relations[i]
		of := row{
			"oid": r.oid, "relname": r.name, "relnamespace": r.namespace.oid, "relowner": int64(oidOwner), "relkind": r.kind, "relpersistence": "p",
			"relnatts": int64(len(r.columns)), "relhasindex": r.keyOID != 0, "relispopulated": true, "relreplident": "d", "reltuples": float64(-1),
		}
		if r.kind == "r" {
			of["relam"], of["relfilenode"] = int64(oidHeap), r.oid
		} else {
			of["relhasrules"] = true
		}
		rows = append(rows, of)
		if r.keyOID != 0 {
			rows = append(rows, row{
				"oid": r.keyOID, "relname": r.keyName(), "relnamespace": r.namespace.oid, "relowner": int64(oidOwner), "relkind": "i", "relpersistence": "p",
				"relnatts": int64(len(r.key)), "relam": int64(oidBtree), "relfilenode": r.keyOID, "relispopulated": true, "relreplident": "n",
			})
		}
	}
	return rows
}

// attribute is what pg_attribute tells of a column.
func (m *model) attribute(of int64, number int, a *attribute) row {
	out := row{
		"attrelid": of, "attname": a.name, "atttypid": int64(a.of.OID), "atttypmod": int64(a.of.Mod), "attnum": int64(number + 1), "attnotnull": a.required,
		"attislocal": true, "attstattarget": int64(-1), "attcacheoff": int64(-1), "attidentity": "", "attgenerated": "", "attcompression": "",
	}
	out["atthasdef"] = a.otherwise != ""
	for i := range m.types {
		if t := &m.types[i]; t.oid == int64(a.of.OID) {
			out["attlen"], out["attbyval"], out["attalign"], out["attstorage"], out["attcollation"] = t.length, t.byValue, t.align, t.storage, t.collation
			if t.category == "A" {
				out["attndims"] = int64(1)
			}
		}
	}
	return out
}

// defaults are those of columns.
func (m *model) defaults() (rows []row) {
	for i := range m.relations {
		r := &m.relations[i]
		for n, a := range r.columns {
			if a.otherwise != "" {
				rows = append(rows, row{"oid": r.oid + int64(n), "adrelid": r.oid, "adnum": int64(n + 1), "adbin": a.otherwise})
			}
		}
	}
	return rows
}

func (m *model) attributes() (rows []row) {
	for i := range m.relations {
		r := &m.relations[i]
		for n := range r.columns {
			rows = append(rows, m.attribute(r.oid, n, &r.columns[n]))
		}
		for n, of := range r.key {
			key := r.columns[of-1]
			key.required = false
			rows = append(rows, m.attribute(r.keyOID, n, &key))
		}
	}
	return rows
}

func (m *model) typeRows() (rows []row) {
	for _, t := range m.types {
		rows = append(rows, row{
			"oid": t.oid, "typname": t.name, "typnamespace": int64(oidPgCatalog), "typowner": int64(oidOwner), "typlen": t.length, "typbyval": t.byValue,
			"typtype": t.kind, "typcategory": t.category, "typispreferred": t.preferred, "typisdefined": true, "typdelim": t.delimiter, "typelem": t.elem,
			"typarray": t.array, "typinput": t.input, "typoutput": strings.TrimSuffix(t.input, "in") + "out", "typreceive": strings.TrimSuffix(t.input, "in") + "recv",
			"typsend": strings.TrimSuffix(t.input, "in") + "send", "typalign": t.align, "typstorage": t.storage, "typtypmod": int64(-1), "typcollation": t.collation,
			"typmodin": "-", "typmodout": "-", "typanalyze": "-", "typsubscript": "-",
		})
	}
	return rows
}

// numbersText is a list as DuckDB reads it.
func numbersText(all []int64) string {
	words := make([]string, len(all))
	for i, n := range all {
		words[i] = strconv.FormatInt(n, 10)
	}
	return "[" + strings.Join(words, ",") + "]"
}

func zeros(n int) string { return numbersText(make([]int64, n)) }

// keyed are the relations with a key.
func (m *model) keyed() (out []*relation) {
	for i := range m.relations {
		if m.relations[i].keyOID != 0 {
			out = append(out, &m.relations[i])
		}
	}
	return out
}

func (m *model) indexes() (rows []row) {
	for _, r := range m.keyed() {
		rows = append(rows, row{
			"indexrelid": r.keyOID, "indrelid": r.oid, "indnatts": int64(len(r.key)), "indnkeyatts": int64(len(r.key)), "indisunique": true, "indisprimary": true,
			"indimmediate": true, "indisvalid": true, "indisready": true, "indislive": true, "indkey": numbersText(r.key), "indcollation": zeros(len(r.key)),
			"indclass": zeros(len(r.key)), "indoption": zeros(len(r.key)),
		})
	}
	return rows
}

func (m *model) constraints() (rows []row) {
	for _, r := range m.keyed() {
		rows = append(rows, row{
			"oid": r.rule, "conname": r.keyName(), "connamespace": r.namespace.oid, "contype": "p", "convalidated": true, "conrelid": r.oid, "conindid": r.keyOID,
			"confupdtype": " ", "confdeltype": " ", "confmatchtype": " ", "conislocal": true, "connoinherit": true, "conkey": numbersText(r.key),
		})
	}
	return rows
}

func (m *model) descriptions() (rows []row) {
	for i := range m.relations {
		r := &m.relations[i]
		if r.comment != "" {
			rows = append(rows, row{"objoid": r.oid, "classoid": int64(classClass), "description": r.comment})
		}
		for n, c := range r.columns {
			if c.doc != "" {
				rows = append(rows, row{"objoid": r.oid, "classoid": int64(classClass), "objsubid": int64(n + 1), "description": c.doc})
			}
		}
	}
	return rows
}

func (m *model) procs() (rows []row) {
	for _, f := range m.functions {
		rows = append(rows, row{
			"oid": f.oid, "proname": f.name, "pronamespace": int64(oidPgCatalog), "proowner": int64(oidOwner), "prolang": int64(12), "procost": float64(1),
			"prokind": f.kind, "proisstrict": f.strict, "proretset": f.set, "provolatile": f.volatility, "proparallel": "s", "pronargs": int64(len(f.args)),
			"prorettype": f.result, "proargtypes": numbersText(f.args), "prosrc": f.name, "prosupport": "-",
		})
	}
	return append(rows, m.receivers()...)
}

// receiverFirst is the OID of the first of them.
const receiverFirst = 10_000

// receivers are the functions that types have for their binary form: clients know arrays by the name of theirs.
func (m *model) receivers() (rows []row) {
	seen := map[string]bool{}
	for _, t := range m.types {
		name := strings.TrimSuffix(t.input, "in") + "recv"
		if seen[name] {
			continue
		}
		seen[name] = true
		rows = append(rows, row{
			"oid": receiverFirst + int64(len(seen)), "proname": name, "pronamespace": int64(oidPgCatalog), "proowner": int64(oidOwner), "prolang": int64(12), "procost": float64(1),
			"prokind": "f", "proisstrict": true, "provolatile": "s", "proparallel": "s", "pronargs": int64(1), "prorettype": t.oid, "proargtypes": "[2281]", "prosrc": name, "prosupport": "-",
		})
	}
	return rows
}

// of are the relations of a kind.
func (m *model) of(kind string) (out []*relation) {
	for i := range m.relations {
		if m.relations[i].kind == kind {
			out = append(out, &m.relations[i])
		}
	}
	return out
}

func (m *model) tables() (rows []row) {
	for _, r := range m.of("r") {
		rows = append(rows, row{
			"schemaname": r.namespace.name, "tablename": r.name, "tableowner": m.user, "hasindexes": r.keyOID != 0, "hasrules": false, "hastriggers": false, "rowsecurity": false,
		})
	}
	return rows
}

func (m *model) userTables() (rows []row) {
	for _, r := range m.of("r") {
		if !r.system {
			rows = append(rows, row{"relid": r.oid, "schemaname": r.namespace.name, "relname": r.name})
		}
	}
	return rows
}

func (m *model) views() (rows []row) {
	for _, r := range m.of("v") {
		rows = append(rows, row{"schemaname": r.namespace.name, "viewname": r.name, "viewowner": m.user, "definition": r.text})
	}
	return rows
}

func (m *model) indexTexts() (rows []row) {
	for _, r := range m.keyed() {
		rows = append(rows, row{"schemaname": r.namespace.name, "tablename": r.name, "indexname": r.keyName(), "indexdef": r.indexText()})
	}
	return rows
}

func (m *model) settings() (rows []row) {
	for _, s := range m.session.Settings() {
		rows = append(rows, row{
			"name": s[0], "setting": s[1], "category": "Tarn", "short_desc": "", "context": "user", "vartype": "string", "source": "default", "boot_val": s[1], "reset_val": s[1], "pending_restart": false,
		})
	}
	return rows
}

// activity tells of others' statements as PostgreSQL does: that they are there, and not what they say.
func (m *model) activity() (rows []row) {
	all := []Backend{{PID: m.session.PID, User: m.user, Shown: true, State: "active"}}
	if m.session.Backends != nil {
		all = m.session.Backends()
	}
	for _, b := range all {
		of := row{"datid": int64(oidDatabase), "datname": m.o.Database, "pid": int64(b.PID), "usename": b.User, "application_name": b.Application}
		if b.User == m.user {
			of["usesysid"] = int64(oidOwner)
		}
		rows = append(rows, of)
		if !b.Shown {
			of["query"] = "<insufficient privilege>"
			continue
		}
		of["state"], of["query"], of["backend_type"] = b.State, b.Query, "client backend"
		for name, at := range map[string]time.Time{"backend_start": b.Began, "xact_start": b.Transaction, "query_start": b.Statement, "state_change": b.Change} {
			if !at.IsZero() {
				of[name] = at.UTC().Format("2006-01-02 15:04:05.999999+00")
			}
		}
		if a, ok := b.Client.(*net.TCPAddr); ok {
			of["client_addr"], of["client_port"] = a.IP.String(), int64(a.Port)
		}
	}
	return rows
}

func (r *relation) fullName() string { return word(r.namespace.name) + "." + word(r.name) }

// word is a name as it stands in a statement.
func word(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == "" && (s[0] < '0' || s[0] > '9') {
		return s
	}
	return duck.Ident(s)
}

func words(all []string) string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = word(s)
	}
	return strings.Join(out, ", ")
}

func (r *relation) indexText() string {
	return "CREATE UNIQUE INDEX " + word(r.keyName()) + " ON " + r.fullName() + " USING btree (" + words(r.keyColumns()) + ")"
}

func texts(all []string) string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = duck.Quote(s)
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// names are what the functions of the catalog answer.
func (m *model) names() []row {
	rows := []row{{"tarn_kind": ofRole, "tarn_oid": int64(oidOwner), "tarn_name": m.user}}
	for i, schema := range append([]string{pgCatalog}, m.session.Path...) {
		rows = append(rows, row{"tarn_kind": ofPath, "tarn_rank": int64(i), "tarn_name": schema})
	}
	for _, s := range m.session.Settings() {
		rows = append(rows, row{"tarn_kind": ofSetting, "tarn_bare": s[0], "tarn_name": s[1]})
	}
	for _, n := range m.namespaces {
		rows = append(rows, row{"tarn_kind": ofNamespace, "tarn_oid": n.oid, "tarn_name": word(n.name), "tarn_bare": n.name, "tarn_full": n.name})
	}
	for _, f := range m.functions {
		rows = append(rows, row{"tarn_kind": ofFunction, "tarn_oid": f.oid, "tarn_name": m.arguments(f), "tarn_full": m.typeNamed(f.result)})
	}
	for i := range m.relations {
		r := &m.relations[i]
		visible := m.visible(r)
		shown := r.fullName()
		if visible {
			shown = word(r.name)
		}
		at, in := m.rank(r.namespace.name)
		if !in {
			at = 1 << 20
		}
		named := func(oid int64, shown, bare string) row {
			return row{
				"tarn_kind": ofClass, "tarn_oid": oid, "tarn_name": shown, "tarn_bare": bare, "tarn_full": r.namespace.name + "." + bare, "tarn_visible": visible, "tarn_rank": int64(at),
			}
		}
		table := named(r.oid, shown, r.name)
		table["tarn_bytes"] = r.bytes
		rows = append(rows, table)
		if r.text != "" {
			rows = append(rows, row{"tarn_kind": ofView, "tarn_oid": r.oid, "tarn_name": r.text})
		}
		if r.comment != "" {
			rows = append(rows, row{"tarn_kind": ofComment, "tarn_oid": r.oid, "tarn_sub": int64(0), "tarn_name": r.comment})
		}
		for n, c := range r.columns {
			if c.doc != "" {
				rows = append(rows, row{"tarn_kind": ofComment, "tarn_oid": r.oid, "tarn_sub": int64(n + 1), "tarn_name": c.doc})
			}
		}
		if r.keyOID != 0 {
			rows = append(rows, named(r.keyOID, strings.TrimSuffix(shown, word(r.name))+word(r.keyName()), r.keyName()),
				row{"tarn_kind": ofIndex, "tarn_oid": r.keyOID, "tarn_name": r.indexText(), "tarn_parts": texts(r.keyColumns())},
				row{"tarn_kind": ofConstraint, "tarn_oid": r.rule, "tarn_name": "PRIMARY KEY (" + words(r.keyColumns()) + ")"})
		}
	}
	return rows
}
