package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"tarn/ingest/cdc/postgres/pgoutput"
	"tarn/ingest/source"
)

// signals are what rows that are inserted into signal.data.collection ask for (Debezium's documentation, "Sending signals to a Debezium
// connector"): their columns are an id, a type and data. They come through the log, in their place among the changes.
type signalData struct {
	Tables     []string `json:"data-collections"`
	Conditions []struct {
		Table  string `json:"data-collection"`
		Filter string `json:"filter"`
	} `json:"additional-conditions"`
	Condition string `json:"additional-condition"`
	Type      string `json:"type"`
	Message   string `json:"message"`
}

// readSignals reads the keys about signals.
func (s *settings) readSignals(c source.Config) error {
	millis, err := number(c, keySignalPoll, 5000, 1, beatMillisMax)
	if err != nil {
		return err
	}
	s.signalPoll = time.Duration(millis) * time.Millisecond
	for channel := range strings.SplitSeq(strings.ToLower(c.Get(keyChannels, "source")), ",") {
		switch strings.TrimSpace(channel) {
		case "source":
			for name := range strings.SplitSeq(c.Keys[keySignals], ",") {
				if name = strings.TrimSpace(name); name != "" {
					s.signals = append(s.signals, name)
				}
			}
		case "file":
			if s.signalFile = c.Path(keySignalFile); s.signalFile == "" {
				s.signalFile = filepath.Join(c.Folder, s.prefix+"-signals.txt")
			}
		case "kafka":
			s.signalTopic = c.Get(keySignalTopic, s.prefix+"-signal")
		}
	}
	return nil
}

// alone is the file of signals: of two connectors that have one the first takes the other's.
func alone(c source.Config) (key, path string) {
	s := settings{prefix: c.Keys[keyPrefix]}
	_ = s.readSignals(c) // what is wrong with it is another check's to say
	return keySignalFile, s.signalFile
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
	if r.s.mode == modeInitialOnly && len(r.s.signals) > 0 {
		r.happened(missedEvent, source.Finding{
			Key: keySignals, Message: fmt.Sprintf("signals in %s are not seen: with %s=%s nobody reads the log", r.s.signals[0], keyMode, modeInitialOnly),
			Hint: "send them by a file or a topic: " + keyChannels + "=file,kafka",
		})
		return
	}
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
	return r.obey(ctx, string(row[0].Data), string(row[1].Data), row[2].Data)
}

// signalColumns are an id, a type and data.
const signalColumns = 3

// obey does what a signal asks for.
func (r *reader) obey(ctx context.Context, id, kind string, text []byte) error {
	var data signalData
	if len(text) > 0 {
		if err := json.Unmarshal(text, &data); err != nil {
			r.signalled(id, kind, fmt.Sprintf("its data is no JSON: %v", err), `write {"data-collections": ["public.orders"]}`)
			return nil
		}
	}
	var patterns []*regexp.Regexp
	for _, text := range data.Tables {
		re, err := regexp.Compile("(?i)^(?:" + text + ")$")
		if err != nil {
			r.signalled(id, kind, fmt.Sprintf("%q is no regular expression: %v", text, err), "write <schema>.<table>")
			return nil
		}
		patterns = append(patterns, re)
	}
	switch kind {
	case "execute-snapshot":
		return r.execute(ctx, id, &data, patterns)
	case "stop-snapshot":
		r.stop(patterns)
	case "pause-snapshot", "resume-snapshot":
		if r.pos.Held, r.changed = kind == "pause-snapshot", true; r.pos.Held {
			r.endSnapshot()
		}
	case "log":
		r.signalled(id, kind, data.Message, "")
	default:
		r.signalled(id, kind, "it has no effect", "write execute-snapshot, stop-snapshot, pause-snapshot, resume-snapshot or log")
	}
	return nil
}

func matches(patterns []*regexp.Regexp, name string) bool {
	return slices.ContainsFunc(patterns, func(re *regexp.Regexp) bool { return re.MatchString(name) })
}

// execute has tables read. Incremental snapshots, and those of some rows, are read into the table's own generation, over what was;
// blocking ones of whole tables, and those of tables without a key, are new snapshots, at whose end the mirror has nothing else.
func (r *reader) execute(ctx context.Context, id string, data *signalData, patterns []*regexp.Regexp) error {
	n := 0
	for _, name := range slices.Sorted(maps.Keys(r.tables)) {
		if !matches(patterns, name) || r.skipped(name) {
			continue
		}
		n++
		st := r.pos.Tables[name]
		if st.Snapshot != nil && !st.Snapshot.again() {
			continue // a whole one is under way, or about to be
		}
		next := progress{Asked: !strings.EqualFold(data.Type, "blocking"), Signal: id, Where: data.where(name)}
		switch keyed := r.tables[name].keyed(); {
		case next.Where != "" && !keyed:
			r.signalled(id, "execute-snapshot", fmt.Sprintf("table %s has no key, so rows that are read again would be there twice", name), "send it without a condition")
			continue
		case next.Where != "":
			wrong, err := r.judge(ctx, name, next.Where)
			if err != nil {
				return err
			}
			if wrong != "" {
				r.signalled(id, "execute-snapshot", fmt.Sprintf("the condition on table %s is refused: %s", name, wrong), "write what may stand behind WHERE")
				continue
			}
		case next.Asked && keyed && r.s.mode != modeInitialOnly: // which reads no changes: only a whole one is without the rows that are gone
			next.Where = allRows
		}
		if st.Snapshot != nil {
			r.endSnapshot()
		}
		if next.Where == "" {
			if err := r.plan(ctx, r.tables[name]); err != nil {
				return err
			}
			st = r.pos.Tables[name]
		} else if st.Snapshot != nil {
			next.join(st.Snapshot)
		}
		st.Snapshot = &next
		r.pos.Tables[name], r.changed = st, true
	}
	if n == 0 {
		r.signalled(id, "execute-snapshot", fmt.Sprintf("no captured table is one of %q", data.Tables), "write <schema>.<table>; system.source_tables lists them")
	}
	return nil
}

// where is the condition on the rows of a table that a signal comes with; "" for none.
func (d *signalData) where(table string) string {
	for _, c := range d.Conditions {
		if re, err := regexp.Compile("(?i)^(?:" + c.Table + ")$"); c.Table == table || err == nil && re.MatchString(table) {
			return c.Filter
		}
	}
	return d.Condition
}

// judge says what is wrong with a condition on a table's rows; "" for nothing. The server parses it between brackets of two kinds, and as
// one statement: what fits into both is one expression, which closes none that it has not opened.
func (r *reader) judge(ctx context.Context, name, where string) (wrong string, err error) {
	from := r.tables[name].table.quoted()
	if text := r.s.selects[name]; text != "" {
		from = "(" + text + ") AS t"
	}
	if strings.IndexByte(where, 0) >= 0 {
		return "it has a byte 0, which no statement may have", nil
	}
	err = r.onSQL(ctx, func() (err error) {
		for _, text := range []string{"SELECT FROM " + from + " WHERE " + condition(where), "COPY (SELECT ARRAY[\n" + where + "\n]) TO STDOUT"} {
			if _, err = r.sql.Prepare(ctx, "", text, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if code := codeOf(err); code != "" && !ofServer(code) && !strings.HasPrefix(code, "57") {
		return err.Error(), nil
	}
	return "", r.s.fault(err, "look at the condition of a signal on")
}

// stop ends incremental snapshots of tables, of all without patterns. What they have read stays.
func (r *reader) stop(patterns []*regexp.Regexp) {
	for name, st := range r.pos.Tables {
		if st.Snapshot.again() && st.Snapshot.Asked && !st.Snapshot.Owed && (len(patterns) == 0 || matches(patterns, name)) {
			r.endSnapshot()
			st.Snapshot = nil
			r.pos.Tables[name], r.changed = st, true
			r.ended(name, endAborted)
		}
	}
}

// endSnapshot stops to read. Tables that are not read to their end go on under a later cut.
func (r *reader) endSnapshot() {
	if r.snapshot != nil {
		r.snapshot.close()
		r.snapshot = nil
	}
}

// unasked gives up to read rows again of which the server cannot judge the condition. Where it lacks what the table had when the
// snapshot was cut, that may be all there is to it: it is cut again.
func (r *reader) unasked(ctx context.Context, bad *badWhere) (source.Batch, bool, error) {
	name := bad.c.table.full()
	if code := codeOf(bad); code == codeNoColumn || code == codeNoTable {
		var now *table
		err := r.onSQL(ctx, func() (err error) {
			now, err = r.s.lookUp(ctx, r.sql, bad.c.table.oid)
			return err
		})
		if err != nil {
			return source.Batch{}, false, err
		}
		if !now.hasAll(bad.c.table) {
			return source.Batch{}, false, bad.err
		}
	}
	r.endSnapshot()
	st := r.pos.Tables[name]
	st.Snapshot = nil
	r.pos.Tables[name] = st
	r.ended(name, endFailed)
	r.happened(signalEvent, source.Finding{
		Table: name, Key: keySignals, Message: fmt.Sprintf("rows of table %s are not read again: %v", name, bad),
		Hint: "send the signal again with a condition that every row can be asked",
	})
	b, err := r.batch(nil)
	return b, true, err
}

// signalled notes what became of a signal.
func (r *reader) signalled(id, kind, what, hint string) {
	r.happened(signalEvent, source.Finding{Key: keySignals, Message: fmt.Sprintf("signal %s (%s): %s", id, kind, what), Hint: hint})
}
