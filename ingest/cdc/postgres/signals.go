package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"tarn/ingest/cdc/postgres/pgoutput"
	"tarn/ingest/source"
)

// signals are what rows that are inserted into signal.data.collection ask for (Debezium's documentation, "Sending signals to a Debezium
// connector"): their columns are an id, a type and data. They come through the log, in their place among the changes.
type signalData struct {
	Tables     []string          `json:"data-collections"`
	Conditions []json.RawMessage `json:"additional-conditions"`
	Condition  string            `json:"additional-condition"`
	Type       string            `json:"type"`
	Message    string            `json:"message"`
}

// readSignals reads the keys about signals.
func (s *settings) readSignals(c source.Config) {
	channels := strings.Split(strings.ToLower(c.Get(keyChannels, "source")), ",")
	if !slices.ContainsFunc(channels, func(name string) bool { return strings.TrimSpace(name) == "source" }) {
		return
	}
	for name := range strings.SplitSeq(c.Keys[keySignals], ",") {
		if name = strings.TrimSpace(name); name != "" {
			s.signals = append(s.signals, name)
		}
	}
}

// signalTables are the tables of signals that are not captured, which are to be published too.
func (s *settings) signalTables(ctx context.Context, c *pgconn.PgConn) (out []*table, err error) {
	if len(s.signals) == 0 {
		return nil, nil
	}
	rows, err := query(ctx, c, tablesSQL)
	if err != nil {
		return nil, s.fault(err, "list the tables of")
	}
	for _, r := range rows {
		if t := (&table{oid: oid(r[0]), schema: r[1], name: r[2], identity: r[3][0]}); slices.Contains(s.signals, t.full()) && !s.captures(t.schema, t.name) {
			out = append(out, t)
		}
	}
	return out, nil
}

// missed tells of tables of signals that are not there, or not published.
func (r *reader) missed(there, missing []*table) {
	for _, name := range r.s.signals {
		at := slices.IndexFunc(there, func(t *table) bool { return t.full() == name })
		switch {
		case at < 0:
			r.happened(missedEvent, source.Finding{
				Key: keySignals, Message: fmt.Sprintf("there is no table %s, of which %s reads signals", name, keySignals),
				Hint: "make it", SQL: "CREATE TABLE " + name + " (id varchar(42) PRIMARY KEY, type varchar(32) NOT NULL, data varchar(2048))",
			})
			return
		case slices.Contains(missing, there[at]):
			r.happened(missedEvent, source.Finding{
				Key: keySignals, Message: fmt.Sprintf("table %s is not in the publication %s, so its signals are not seen", name, r.s.publication),
				Hint: "add it", SQL: "ALTER PUBLICATION " + ident(r.s.publication) + " ADD TABLE " + there[at].quoted(),
			})
			return
		}
	}
	r.over(missedEvent)
}

// signal does what a row asks for, once, however often it is sent.
func (r *reader) signal(ctx context.Context, row []pgoutput.Cell, at pgoutput.LSN) error {
	place := changePlace(r.tx.commit, at, r.tx.signaled.next(at))
	if len(row) < signalColumns || place <= r.pos.Signal {
		return nil
	}
	r.pos.Signal, r.changed = place, true
	id, kind := string(row[0].Data), string(row[1].Data)
	var data signalData
	if text := row[2].Data; len(text) > 0 {
		if err := json.Unmarshal(text, &data); err != nil {
			r.signalled(id, kind, fmt.Sprintf("its data is no JSON: %v", err), `write {"data-collections": ["public.orders"]}`)
			return nil
		}
	}
	switch kind {
	case "execute-snapshot":
		return r.execute(ctx, id, &data)
	case "log":
		r.signalled(id, kind, data.Message, "")
	default:
		r.signalled(id, kind, "it has no effect", "a snapshot is read whole before the changes behind it, signals among them; PAUSE CONNECTOR and RESUME CONNECTOR hold it")
	}
	return nil
}

// signalColumns are an id, a type and data.
const signalColumns = 3

// execute plans new snapshots of tables. They have a generation of their own: the mirror is whole at each moment, and changes of them
// that come before are in the snapshot.
func (r *reader) execute(ctx context.Context, id string, data *signalData) error {
	if len(data.Conditions) > 0 || data.Condition != "" {
		r.signalled(id, "execute-snapshot", "its conditions have no effect, and the tables are read whole", "")
	}
	var patterns []*regexp.Regexp
	for _, text := range data.Tables {
		re, err := regexp.Compile("(?i)^(?:" + text + ")$")
		if err != nil {
			r.signalled(id, "execute-snapshot", fmt.Sprintf("%q is no regular expression: %v", text, err), "write <schema>.<table>")
			return nil
		}
		patterns = append(patterns, re)
	}
	n := 0
	for _, name := range slices.Sorted(maps.Keys(r.tables)) {
		if !slices.ContainsFunc(patterns, func(re *regexp.Regexp) bool { return re.MatchString(name) }) || r.skipped(name) {
			continue
		}
		n++
		if r.pos.Tables[name].Snapshot != nil {
			continue // one is under way, or about to be
		}
		if err := r.plan(ctx, r.tables[name]); err != nil {
			return err
		}
		st := r.pos.Tables[name]
		st.Snapshot = &progress{Asked: !strings.EqualFold(data.Type, "blocking")}
		r.pos.Tables[name] = st
	}
	if n == 0 {
		r.signalled(id, "execute-snapshot", fmt.Sprintf("no captured table is one of %q", data.Tables), "write <schema>.<table>; system.source_tables lists them")
	}
	return nil
}

// signalled notes what became of a signal.
func (r *reader) signalled(id, kind, what, hint string) {
	r.happened(signalEvent, source.Finding{Key: keySignals, Message: fmt.Sprintf("signal %s (%s): %s", id, kind, what), Hint: hint})
}
