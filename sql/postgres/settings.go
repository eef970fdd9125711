//go:build duckdb_arrow

package postgres

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// database is the only one.
const database = "lake"

// serverVersion is the version of PostgreSQL that clients take this door for: what they ask of its catalog goes by it.
const serverVersion = "16.0"

// told are the settings that a client is told at its log-in, and whenever they change.
var told = []string{
	"server_version", "server_encoding", "client_encoding", "application_name", "is_superuser", "session_authorization",
	"DateStyle", "IntervalStyle", "TimeZone", "integer_datetimes", "standard_conforming_strings", "default_transaction_read_only", "in_hot_standby",
}

// settings are those of a session, by their names in lower case. Those of fixed cannot be set.
type settings struct {
	fixed    map[string]string
	defaults map[string]string
	now      map[string]string
	zone     *time.Location    // TimeZone; nil for UTC
	before   map[string]string // all when the transaction began, for ROLLBACK; nil outside of one
	hidden   map[string]string // what SET LOCAL has hidden, for COMMIT
}

func newSettings() *settings {
	s := &settings{
		fixed: map[string]string{
			"server_version": serverVersion, "server_version_num": "160000", "server_encoding": "UTF8", "is_superuser": "off", "integer_datetimes": "on", "in_hot_standby": "off",
			"max_identifier_length": "63", "max_index_keys": "32", "lc_collate": "C", "lc_ctype": "C", "block_size": "8192", "transaction_isolation": "read committed", "ssl": "off",
		},
		defaults: map[string]string{
			"client_encoding": "UTF8", "application_name": "", "datestyle": "ISO, MDY", "intervalstyle": "postgres", "timezone": "UTC", "standard_conforming_strings": "on",
			"default_transaction_read_only": "off", "default_transaction_isolation": "read committed", "search_path": `"$user", public`, "statement_timeout": "0", "lock_timeout": "0",
			"idle_in_transaction_session_timeout": "0", "idle_session_timeout": "0", "extra_float_digits": "1", "bytea_output": "hex", "client_min_messages": "notice",
			"row_security": "on", "default_transaction_deferrable": "off", "transaction_read_only": "off", "escape_string_warning": "on", "work_mem": "4MB", "jit": "off",
			"enable_seqscan": "on", "geqo": "on", "session_replication_role": "origin", "check_function_bodies": "on", "xmloption": "content", "synchronize_seqscans": "on",
			"quote_all_identifiers": "off", "default_table_access_method": "heap", "default_tablespace": "", "transaction_timeout": "0",
		},
	}
	s.now = maps.Clone(s.defaults)
	return s
}

// get is a setting's value; false for one that there is not.
func (s *settings) get(name string) (string, bool) {
	name = strings.ToLower(name)
	if v, ok := s.fixed[name]; ok {
		return v, true
	}
	v, ok := s.now[name]
	return v, ok
}

// set changes a setting; one that is fixed or not known is a fault.
func (s *settings) set(name, value string) error {
	lower := strings.ToLower(name)
	if _, fixed := s.fixed[lower]; fixed {
		return stateError{"55P02", fault.Newf(fault.Denied, "", "parameter %q cannot be changed", name)}
	}
	if _, known := s.defaults[lower]; !known && !strings.Contains(lower, ".") { // a program's own names have a point
		return stateError{"42704", fault.Newf(fault.NotFound, "", "unrecognized configuration parameter %q", name)}
	}
	switch lower {
	case "client_encoding":
		if !slices.Contains([]string{"utf8", "utf-8", "unicode"}, strings.ToLower(value)) {
			return stateError{"22023", fault.Newf(fault.Invalid, "texts are UTF-8", "there is no encoding %q", value)}
		}
		value = "UTF8"
	case "statement_timeout":
		if _, err := timeoutOf(value); err != nil {
			return stateError{"22023", fault.Newf(fault.Invalid, "such as 30s, or 30000 for milliseconds", "statement_timeout cannot be %q", value)}
		}
	case "timezone":
		if slices.Contains([]string{"local", "default"}, strings.ToLower(value)) {
			value = s.defaults[lower]
		}
		zone, canonical, err := zoneOf(value)
		if err != nil {
			return err
		}
		s.zone, value = zone, canonical
	}
	if _, known := s.now[lower]; !known && len(s.now) > 2*namedMax {
		return errTooMany("settings")
	}
	s.now[lower] = value
	return nil
}

func (s *settings) reset(name string) error {
	delete(s.hidden, strings.ToLower(name))
	value, ok := s.defaults[strings.ToLower(name)]
	if !ok {
		return s.set(name, "")
	}
	return s.set(name, value)
}

// all are the names and values of all settings.
func (s *settings) all() (out [][2]string) {
	for _, of := range []map[string]string{s.fixed, s.now} {
		for name, value := range of {
			out = append(out, [2]string{name, value})
		}
	}
	slices.SortFunc(out, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return out
}

func (s *settings) resetAll() {
	clear(s.hidden)
	s.now = maps.Clone(s.defaults)
	s.zone, _, _ = zoneOf(s.now["timezone"])
}

// settle makes what a client has said at its log-in what RESET goes back to.
func (s *settings) settle() { s.defaults = maps.Clone(s.now) }

// timeout is statement_timeout; 0 for none.
func (s *settings) timeout() time.Duration {
	d, _ := timeoutOf(s.now["statement_timeout"])
	return d
}

func timeoutOf(value string) (time.Duration, error) {
	value = strings.ReplaceAll(value, " ", "")
	if n, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(n) * time.Millisecond, nil //nolint:gosec // 31 bits
	}
	return time.ParseDuration(strings.ReplaceAll(value, "min", "m"))
}

// answer is what a statement of the session itself answers: a tag, and for SHOW one row.
type answer struct {
	tag   string
	names []string
	row   []string
}

// session answers the statements that are of the session and not of the lake; nil for others.
func (c *conn) session(text string) (*answer, error) {
	verbs := sqltext.Verbs(text, 4)
	if len(verbs) == 0 {
		return nil, nil
	}
	in, err := sqltext.NewReader(text)
	if err != nil {
		return nil, err
	}
	in.Next()
	switch verbs[0] {
	case "BEGIN", "START":
		return c.begin(in, verbs[0])
	case "COMMIT", "END", "ROLLBACK", "ABORT":
		return c.end(in, verbs)
	case "SAVEPOINT", "RELEASE":
		return c.savepoint(in, verbs[0])
	case "SET":
		return c.set(in)
	case "SELECT":
		return c.config(in)
	case "CREATE", "DROP":
		return c.index(in, verbs)
	case "RESET":
		if in.Take("ALL") {
			c.resetAll()
			return &answer{tag: "RESET"}, nil
		}
		name, err := settingName(in)
		if err == nil {
			err = c.settings.reset(name)
		}
		return &answer{tag: "RESET"}, c.changed(name, err)
	case "SHOW":
		return c.show(in, verbs)
	case "DISCARD":
		return c.discard(in, verbs), nil
	case "DEALLOCATE":
		in.Take("PREPARE")
		if in.Take("ALL") {
			c.prepared = map[string]*prepared{}
			return &answer{tag: "DEALLOCATE ALL"}, nil
		}
		parts, err := in.Name()
		if err == nil {
			delete(c.prepared, parts[len(parts)-1])
		}
		return &answer{tag: "DEALLOCATE"}, err
	case "LISTEN", "UNLISTEN", "NOTIFY":
		return c.listen(in, verbs[0])
	}
	return nil, nil
}

// begin and end keep what a client believes of its transaction. Each statement reads the newest snapshot.
func (c *conn) begin(in *sqltext.Reader, verb string) (*answer, error) {
	if c.state == idle {
		c.state, c.done = within, nil
		c.settings.begin()
	}
	if err := c.modes(in, "transaction_read_only", true); err != nil {
		return nil, err
	}
	if verb == "START" {
		return &answer{tag: "START TRANSACTION"}, nil
	}
	return &answer{tag: "BEGIN"}, nil
}

// resetAll is RESET ALL; the client is told of what it knows.
func (c *conn) resetAll() {
	was := c.settings.now
	c.settings.resetAll()
	c.toldSince(was)
}

// discard is DISCARD ALL and its parts.
func (c *conn) discard(in *sqltext.Reader, verbs []string) *answer {
	if in.Take("ALL") {
		c.resetAll()
		c.closeCursors()
		c.closePortals()
		c.prepared = map[string]*prepared{}
		c.forgetTemps()
		c.door.post.unlisten(c, "")
		return &answer{tag: "DISCARD ALL"}
	}
	if in.Take("TEMP") || in.Take("TEMPORARY") {
		c.forgetTemps()
	}
	return &answer{tag: strings.Join(verbs, " ")}
}

func (c *conn) end(in *sqltext.Reader, verbs []string) (*answer, error) {
	rollback := verbs[0] == "ROLLBACK" || verbs[0] == "ABORT"
	if rollback && slices.Contains(verbs, "TO") {
		if c.state == failed {
			c.state = within
		}
		c.stays()
		c.backTo(in)
		return &answer{tag: "ROLLBACK"}, nil
	}
	tag := "COMMIT"
	if rollback || c.state == failed {
		tag = "ROLLBACK"
	}
	if tag == "ROLLBACK" {
		c.stays()
		c.unnote()
	}
	c.state = idle
	c.ended(tag == "COMMIT")
	if tag == "ROLLBACK" {
		c.closePortals()
		c.temps.Commit()
		return &answer{tag: tag}, nil
	}
	return &answer{tag: tag}, c.commit()
}

// set is SET [SESSION | LOCAL] name { = | TO } value, and the forms that have words of their own.
func (c *conn) set(in *sqltext.Reader) (*answer, error) {
	out := &answer{tag: "SET"}
	local := !in.Take("SESSION") && in.Take("LOCAL")
	switch {
	case in.Take("TRANSACTION"):
		return out, c.modes(in, "transaction_read_only", true)
	case in.Take("CHARACTERISTICS"):
		return out, c.modes(in, "default_transaction_read_only", false)
	case in.Take("AUTHORIZATION"), in.Take("ROLE"):
		return out, nil
	case in.Take("TIME", "ZONE"):
		if in.Take("INTERVAL") { // '+02:00' HOUR TO MINUTE
			return out, c.put("timezone", in.Next().Value(), local)
		}
		return out, c.put("timezone", values(in), local)
	case in.Take("NAMES"):
		return out, c.put("client_encoding", values(in), local)
	}
	name, err := settingName(in)
	if err != nil {
		return nil, err
	}
	if !in.Take("=") && !in.Take("TO") {
		return nil, in.Fault("= and a value")
	}
	if in.Take("DEFAULT") {
		return out, c.changed(name, c.settings.reset(name))
	}
	return out, c.put(name, values(in), local)
}

func settingName(in *sqltext.Reader) (string, error) {
	parts, err := in.Name()
	return strings.Join(parts, "."), err
}

// values are what follows, as one text: lists have commas.
func values(in *sqltext.Reader) string {
	var b strings.Builder
	for t := in.Next(); t.Kind != sqltext.End; t = in.Next() {
		switch {
		case t.Kind == sqltext.String:
			b.WriteString(t.Value())
		case t.Is(","):
			b.WriteString(", ")
		default:
			b.WriteString(t.Name())
		}
	}
	return b.String()
}

// show is SHOW name of a setting; what is none is the lake's.
func (c *conn) show(in *sqltext.Reader, verbs []string) (*answer, error) {
	name := ""
	switch {
	case len(verbs) > 2 && verbs[1] == "TIME" && verbs[2] == "ZONE":
		name = "timezone"
	case len(verbs) > 3 && verbs[1] == "TRANSACTION" && verbs[2] == "ISOLATION":
		name = "transaction_isolation"
	case len(verbs) == 2:
		name = strings.ToLower(verbs[1])
		in.Next()
		if in.Peek().Kind != sqltext.End {
			return nil, nil
		}
	}
	value, ok := c.settings.get(name)
	if !ok {
		return nil, nil
	}
	for _, shown := range told { // as PostgreSQL writes their names
		if strings.EqualFold(shown, name) {
			name = shown
		}
	}
	return &answer{tag: "SHOW", names: []string{name}, row: []string{value}}, nil
}

// forgetTemps drops the temporary tables of the connection.
func (c *conn) forgetTemps() {
	c.temps.Close()
	c.temps = c.door.o.Gate.Session()
}
