package postgres

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"tarn/ingest/cdc/postgres/pgtype"
)

// table is a captured table as the catalog has it: its own, or the root of partitions.
type table struct {
	oid          uint32
	schema, name string
	identity     byte // d, n, f, i; of a root that of its partitions, which is what the log goes by, and d where they differ
	rows         int64
	columns      []pgtype.Attr // without generated ones, which the log does not have
	generated    []string
	leaves       []leaf // where the rows are, in order of their OIDs
}

// leaf is one heap of rows.
type leaf struct {
	oid   uint32
	name  string // quoted, with its schema
	node  string // the file; another one means that the rows were written anew
	bytes int64
}

// full is the table's name as include lists and positions have it.
func (t *table) full() string { return t.schema + "." + t.name }

// partitioned tells whether the rows are in other tables, of which it is the root.
func (t *table) partitioned() bool { return len(t.leaves) > 0 && t.leaves[0].oid != t.oid }

func (t *table) keyed() bool {
	return slices.ContainsFunc(t.columns, func(c pgtype.Attr) bool { return c.Key > 0 })
}

// identifies tells whether the log has columns of old rows where it has the key alone.
func (t *table) identifies(columns []string) bool {
	return !slices.ContainsFunc(columns, func(name string) bool {
		return !slices.ContainsFunc(t.columns, func(c pgtype.Attr) bool { return c.Name == name && c.Key > 0 })
	})
}

// column is the one of a name; nil where there is none.
func (t *table) column(name string) *pgtype.Attr {
	if i := slices.IndexFunc(t.columns, func(c pgtype.Attr) bool { return c.Name == name }); i >= 0 {
		return &t.columns[i]
	}
	return nil
}

// hasAll tells whether a table, nil where it is gone, has what another had: its columns and heaps, by their names.
func (t *table) hasAll(of *table) bool {
	lacksColumn := func(a pgtype.Attr) bool { return t.column(a.Name) == nil }
	lacksLeaf := func(l leaf) bool {
		return !slices.ContainsFunc(t.leaves, func(o leaf) bool { return o.name == l.name })
	}
	return t != nil && !slices.ContainsFunc(of.columns, lacksColumn) && !slices.ContainsFunc(of.leaves, lacksLeaf)
}

// nodes tells the files of the rows apart from any that come later.
func (t *table) nodes() string {
	h := fnv.New64a()
	for _, l := range t.leaves {
		_, _ = fmt.Fprintf(h, "%d:%s;", l.oid, l.node)
	}
	return strconv.FormatUint(h.Sum64(), 16)
}

// tablesSQL lists the tables that can be published: ordinary ones, and roots of partitions.
const tablesSQL = `SELECT c.oid, n.nspname, c.relname, c.relreplident, c.reltuples::bigint
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_toast%' AND n.nspname NOT LIKE 'pg\_temp%'
ORDER BY n.nspname, c.relname`

// columnsSQL lists columns. The key is the replica identity's index where one was chosen, for
// deletes tell that alone; else the primary key.
const columnsSQL = `SELECT a.attrelid, a.attname, a.atttypid, a.atttypmod, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated,
coalesce(pg_get_expr(d.adbin, d.adrelid), ''),
coalesce((SELECT array_position(i.indkey::int2[], a.attnum) + 1 FROM pg_index i WHERE i.indrelid = a.attrelid
	AND CASE WHEN c.relreplident = 'i' AND NOT EXISTS (SELECT FROM pg_partition_tree(c.oid) p JOIN pg_class l ON l.oid = p.relid
		WHERE p.isleaf AND l.relreplident <> 'i') THEN i.indisreplident ELSE i.indisprimary END
	AND array_position(i.indkey::int2[], a.attnum) < i.indnkeyatts), 0)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid IN (%s) ORDER BY a.attrelid, a.attnum`

// leavesSQL lists the heaps of tables. It waits for no lock, and so does not tell their sizes.
const leavesSQL = `SELECT t.root, c.oid, n.nspname, c.relname, pg_relation_filenode(c.oid), c.relreplident
FROM (SELECT c.oid AS root, CASE c.relkind WHEN 'p' THEN p.relid ELSE c.oid END AS leaf
	FROM pg_class c LEFT JOIN LATERAL pg_partition_tree(c.oid) p ON p.isleaf WHERE c.oid IN (%s)) t
JOIN pg_class c ON c.oid = t.leaf AND c.relkind = 'r' JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY t.root, c.oid`

// survey lists the captured tables by name.
func (s *settings) survey(ctx context.Context, c *pgconn.PgConn) ([]*table, error) {
	rows, err := query(ctx, c, tablesSQL)
	if err != nil {
		return nil, s.fault(err, "list the tables of")
	}
	var out []*table
	for _, r := range rows {
		if s.captures(r[1], r[2]) {
			out = append(out, &table{oid: oid(r[0]), schema: r[1], name: r[2], identity: r[3][0], rows: integer(r[4])})
		}
	}
	return out, s.describe(ctx, c, out)
}

// describe reads the columns and heaps of tables.
func (s *settings) describe(ctx context.Context, c *pgconn.PgConn, tables []*table) error {
	if len(tables) == 0 {
		return nil
	}
	by := map[uint32]*table{}
	var list []string
	for _, t := range tables {
		by[t.oid] = t
		list = append(list, strconv.FormatUint(uint64(t.oid), 10))
	}
	oids := strings.Join(list, ", ")
	rows, err := query(ctx, c, fmt.Sprintf(columnsSQL, oids))
	if err != nil {
		return s.fault(err, "read the columns of tables of")
	}
	for _, r := range rows {
		t := by[oid(r[0])]
		if r[6] != "" {
			t.generated = append(t.generated, r[1])
			continue
		}
		t.columns = append(t.columns, pgtype.Attr{
			Name: r[1], OID: oid(r[2]), Typmod: int32(integer(r[3])), //nolint:gosec // it is one
			Declared: r[4], NotNull: r[5] == "t", Default: r[7], Key: int(integer(r[8])),
		})
	}
	if rows, err = query(ctx, c, fmt.Sprintf(leavesSQL, oids)); err != nil {
		return s.fault(err, "read the files of tables of")
	}
	for _, r := range rows {
		t := by[oid(r[0])]
		t.leaves = append(t.leaves, leaf{oid: oid(r[1]), name: ident(r[2]) + "." + ident(r[3]), node: r[4]})
		if t.partitioned() {
			if identity := r[5][0]; len(t.leaves) == 1 {
				t.identity = identity
			} else if t.identity != identity {
				t.identity = 'd'
			}
		}
	}
	for _, t := range tables {
		slices.SortFunc(t.leaves, func(a, b leaf) int { return cmp.Compare(a.oid, b.oid) })
	}
	return nil
}

// measure asks how large heaps are. It waits for whoever has one locked, as the reading of it will.
func (s *settings) measure(ctx context.Context, c *pgconn.PgConn, t *table) error {
	for i := range t.leaves {
		rows, err := query(ctx, c, fmt.Sprintf("SELECT coalesce(pg_relation_size(%d), 0)", t.leaves[i].oid))
		if err != nil {
			return s.fault(err, "measure the tables of")
		}
		t.leaves[i].bytes = integer(rows[0][0])
	}
	return nil
}

// filesAt gives the heaps of tables the files that they had at a cut, in whose snapshot no later ones have rows. Heaps that were made
// since are left out.
func (s *settings) filesAt(ctx context.Context, c *pgconn.PgConn, at *cut, tables []*captured) error {
	if _, err := query(ctx, c, snapshotSQL+literal(at.snapshot)); err != nil {
		return s.fault(err, "look at a snapshot of")
	}
	for _, t := range tables {
		rows, err := query(ctx, c, fmt.Sprintf("SELECT oid, relfilenode FROM pg_class WHERE oid = ANY('{%s}')", t.table.heaps()))
		if err != nil {
			return s.fault(err, "look at a snapshot of")
		}
		nodes := map[uint32]string{}
		for _, r := range rows {
			nodes[oid(r[0])] = r[1]
		}
		t.table.leaves = slices.DeleteFunc(t.table.leaves, func(l leaf) bool { return nodes[l.oid] == "" })
		for i := range t.table.leaves {
			t.table.leaves[i].node = nodes[t.table.leaves[i].oid]
		}
	}
	_, err := query(ctx, c, "COMMIT")
	return s.fault(err, "look at a snapshot of")
}

// snapshotSQL begins a transaction that sees what the snapshot whose name stands behind it does.
const snapshotSQL = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT "

// heaps are the OIDs of a table's heaps.
func (t *table) heaps() string {
	var list []string
	for _, l := range t.leaves {
		list = append(list, strconv.FormatUint(uint64(l.oid), 10))
	}
	return strings.Join(list, ", ")
}

// lookUp reads one table of the catalog by the OID of itself or of one of its partitions; nil
// where it is gone.
func (s *settings) lookUp(ctx context.Context, c *pgconn.PgConn, id uint32) (*table, error) {
	rows, err := query(ctx, c, fmt.Sprintf(`SELECT c.oid, n.nspname, c.relname, c.relreplident, c.reltuples::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = (SELECT CASE WHEN relispartition THEN pg_partition_root(oid) ELSE oid END FROM pg_class WHERE oid = %d)`, id))
	if err != nil || len(rows) == 0 {
		return nil, s.fault(err, "look a table up in")
	}
	r := rows[0]
	t := &table{oid: oid(r[0]), schema: r[1], name: r[2], identity: r[3][0], rows: integer(r[4])}
	return t, s.describe(ctx, c, []*table{t})
}

func oid(text string) uint32 {
	n, _ := strconv.ParseUint(text, 10, 32)
	return uint32(n)
}

func integer(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// readTypes lists the types of the database.
func (s *settings) readTypes(ctx context.Context, c *pgconn.PgConn) (pgtype.Catalog, error) {
	results, err := c.Exec(ctx, pgtype.CatalogQuery).ReadAll()
	if err != nil {
		return nil, s.fault(err, "list the types of")
	}
	types := pgtype.Catalog{}
	for _, row := range results[0].Rows {
		if err := types.Add(row); err != nil {
			return nil, err
		}
	}
	return types, nil
}
