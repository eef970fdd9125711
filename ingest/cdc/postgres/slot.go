package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"tarn/ingest/cdc/postgres/pgoutput"
	"tarn/ingest/source"
)

// slot is a replication slot as the server shows it.
type slot struct {
	there     bool
	plugin    string
	database  string
	active    bool
	status    string // reserved, extended, unreserved, lost
	confirmed pgoutput.LSN
	retained  int64 // bytes of log that the server keeps for it
}

func (s *settings) readSlot(ctx context.Context, c *pgconn.PgConn) (slot, error) {
	rows, err := query(ctx, c, `SELECT plugin, database, active, coalesce(wal_status, ''), coalesce(confirmed_flush_lsn, '0/0'),
coalesce(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, restart_lsn), 0)::bigint
FROM pg_replication_slots WHERE slot_name = `+literal(s.slot))
	if err != nil || len(rows) == 0 {
		return slot{}, s.fault(err, "look at the replication slot of")
	}
	r := rows[0]
	lsn, err := pgoutput.ParseLSN(r[4])
	return slot{there: true, plugin: r[0], database: r[1], active: r[2] == "t", status: r[3], confirmed: lsn, retained: integer(r[5])}, err
}

// cut is a moment of the database: all that commits before lsn is in its snapshot, all else is
// behind it in the log. The snapshot is good while the connection is.
type cut struct {
	lsn      pgoutput.LSN
	snapshot string
	xid      int64 // a transaction of then, which events show as the snapshot's
	conn     *pgconn.PgConn
}

func (c *cut) close() {
	if c != nil {
		closeConn(c.conn)
	}
}

// makeCut makes a slot, which waits for the transactions that are under way to end: the
// source's own, or one that goes with its connection.
func (r *reader) makeCut(ctx context.Context, own bool) (*cut, error) {
	s := &r.s
	c, err := r.replicate(ctx)
	if err != nil {
		return nil, err
	}
	name, temporary := s.slot, ""
	if !own {
		name, temporary = cutName(s.slot, c.PID()), "TEMPORARY "
	}
	rows, err := query(ctx, c, fmt.Sprintf("CREATE_REPLICATION_SLOT %s %sLOGICAL pgoutput EXPORT_SNAPSHOT", ident(name), temporary))
	if err != nil {
		closeConn(c)
		return nil, s.fault(err, "make a replication slot in")
	}
	lsn, err := pgoutput.ParseLSN(rows[0][1])
	if err != nil {
		closeConn(c)
		return nil, err
	}
	return &cut{lsn: lsn, snapshot: rows[0][2], conn: c}, nil
}

// replicate is the connection of identify where that is there still, and else a new one.
func (r *reader) replicate(ctx context.Context) (*pgconn.PgConn, error) {
	c := r.spare
	if r.spare = nil; c != nil && !c.IsClosed() {
		return c, nil
	}
	return r.s.replicate(ctx)
}

// cutName is the name of a temporary slot, at most 63 bytes.
func cutName(slot string, pid uint32) string {
	const room = 63 - len("_cut_4294967295")
	return fmt.Sprintf("%s_cut_%d", slot[:min(len(slot), room)], pid)
}

// server is which server it is, and how far its log goes.
type server struct {
	system, timeline string
	end              pgoutput.LSN
	standby          bool // whose log may end earlier for a while after its restart
}

// identify asks on a connection that the next command of replication goes on with.
func (r *reader) identify(ctx context.Context) (server, error) {
	s := &r.s
	c, err := s.replicate(ctx)
	if err != nil {
		return server{}, err
	}
	r.spare = c
	rows, err := query(ctx, c, "IDENTIFY_SYSTEM")
	if err != nil {
		return server{}, s.fault(err, "identify")
	}
	is := server{system: rows[0][0], timeline: rows[0][1]}
	if is.end, err = pgoutput.ParseLSN(rows[0][2]); err != nil {
		return server{}, err
	}
	if rows, err = query(ctx, c, "SELECT pg_is_in_recovery()"); err != nil {
		return server{}, s.fault(err, "identify")
	}
	is.standby = rows[0][0] == "t"
	return is, nil
}

// publish makes the publication where it is not there, and adds tables that it lacks where it
// is Tarn's to do. It returns the tables that are not in it.
func (s *settings) publish(ctx context.Context, c *pgconn.PgConn, tables []*table) ([]*table, error) {
	rows, err := query(ctx, c, "SELECT puballtables FROM pg_publication WHERE pubname = "+literal(s.publication))
	if err != nil {
		return nil, s.fault(err, "look at the publication of")
	}
	switch {
	case len(rows) > 0 && rows[0][0] == "t":
		return nil, nil
	case len(rows) == 0 && s.autocreate == autocreateOff:
		return tables, nil
	case len(rows) == 0:
		return nil, s.makePublication(ctx, c, tables)
	}
	missing, err := s.unpublished(ctx, c, tables)
	if err != nil || len(missing) == 0 || s.autocreate == autocreateOff || s.autocreate == autocreateNone {
		return missing, err
	}
	return s.addTables(ctx, c, missing)
}

// addTables adds tables to the publication, each by itself: one that is refused keeps no
// other out. Those are returned.
func (s *settings) addTables(ctx context.Context, c *pgconn.PgConn, tables []*table) (refused []*table, err error) {
	for _, t := range tables {
		_, err := query(ctx, c, "ALTER PUBLICATION "+ident(s.publication)+" ADD TABLE "+t.quoted())
		switch codeOf(err) {
		case "":
			if err != nil {
				return nil, s.fault(err, "alter the publication of")
			}
		case codeDuplicate:
		default:
			refused = append(refused, t)
		}
	}
	return refused, nil
}

func (s *settings) makePublication(ctx context.Context, c *pgconn.PgConn, tables []*table) error {
	const with = " WITH (publish_via_partition_root = true)"
	create := "CREATE PUBLICATION " + ident(s.publication)
	if s.autocreate == autocreateAll {
		_, err := query(ctx, c, create+" FOR ALL TABLES"+with)
		if codeOf(err) != codeDenied {
			return s.fault(err, "make the publication of")
		}
	}
	var names []string
	for _, t := range tables {
		names = append(names, t.quoted())
	}
	if len(names) > 0 && s.autocreate != autocreateNone {
		create += " FOR TABLE " + strings.Join(names, ", ")
	}
	_, err := query(ctx, c, create+with)
	return s.fault(err, "make the publication of")
}

// unpublished are the tables that are not in the publication, by themselves or by their partitions.
func (s *settings) unpublished(ctx context.Context, c *pgconn.PgConn, tables []*table) ([]*table, error) {
	rows, err := query(ctx, c, `SELECT c.oid FROM pg_publication_tables p JOIN pg_namespace n ON n.nspname = p.schemaname
JOIN pg_class c ON c.relname = p.tablename AND c.relnamespace = n.oid WHERE p.pubname = `+literal(s.publication))
	if err != nil {
		return nil, s.fault(err, "look at the publication of")
	}
	in := map[uint32]bool{}
	for _, r := range rows {
		in[oid(r[0])] = true
	}
	var out []*table
	for _, t := range tables {
		there := in[t.oid]
		for _, l := range t.leaves {
			there = there || in[l.oid]
		}
		if !there {
			out = append(out, t)
		}
	}
	return out, nil
}

func (t *table) quoted() string { return ident(t.schema) + "." + ident(t.name) }

// leaves tells of the slot, for which the server keeps its log without end, and of the publication.
func leaves(c source.Config) (out []source.Finding) {
	s, err := readSettings(c)
	if err != nil {
		return nil
	}
	if s.mode != modeInitialOnly {
		out = append(out, source.Finding{
			Message: fmt.Sprintf("the replication slot %s of %s: the server keeps its log for it until it is dropped", s.slot, s.server()),
			SQL:     "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = " + literal(s.slot),
		})
	}
	if s.autocreate != autocreateOff {
		out = append(out, source.Finding{Message: fmt.Sprintf("the publication %s of %s", s.publication, s.server()), SQL: "DROP PUBLICATION IF EXISTS " + ident(s.publication)})
	}
	return out
}
