package uitest

import (
	"slices"
	"strings"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/bus/group"
	"tarn/embedded/life"
	"tarn/ingest/source"
	"tarn/lake/catalog"
	"tarn/lake/table"
	"tarn/stream/pipeline"
)

// Port is a feed like the sample's: one source, four topics, their tables and two views.
func Port(now time.Time) *Feed {
	f := &Feed{PortsNow: map[string]string{"http": "127.0.0.1:7700", "kafka": "127.0.0.1:9092"}}
	for _, name := range []string{"meta", "bus", "lake", "landing", "ingest", "sql", "ui", "http"} {
		f.PartsNow = append(f.PartsNow, life.Status{Name: name, State: life.Ready, Since: now})
	}
	src := source.Status{Name: "port", Kind: "sqlite", State: "streaming", Position: "seq 48211", Lag: source.Lag{Events: 0, Millis: 18}, Rows: 48211, Since: now}
	for i, name := range []string{"calls", "moves", "ports", "vessels"} {
		src.Topics = append(src.Topics, "port.main."+name)
		src.Tables = append(src.Tables, source.TableState{Table: name, Topic: "port.main." + name, State: source.Streaming, Done: -1, Rows: int64(1200 * (4 - i)), Millis: 18})
		f.AddTopic("port.main."+name, "port_main_"+name, name, int64(1200*(4-i)), now)
	}
	f.SourcesNow = []source.Status{src}
	f.GroupsNow = []group.Line{
		{Group: "billing", State: group.Empty, Topic: "port.main.calls", Committed: 4700, NextOffset: 4800, Lag: 100},
		{Group: "billing", State: group.Empty, Topic: "port.main.moves", Committed: 3600, NextOffset: 3600},
		{Group: "yard-planner", State: group.Stable, Members: 2, Topic: "port.main.moves", Committed: 3599, NextOffset: 3600, Lag: 1},
	}
	for i, h := range []*catalog.Health{&f.HealthNow[1], &f.HealthNow[3]} {
		h.DeleteFiles, h.Deleted, h.OrphanFiles, h.OrphanBytes = int64(i+1)*7, h.Rows/int64(9-4*i), int64(i)*12, int64(i)*48_211_004
	}
	f.HealthNow[3].Action, f.HealthNow[3].Reason = catalog.Compact, "20% of its rows are deleted"
	f.AddView("gold", "berth_productivity", "silver.calls", "silver.moves", "silver.ports")
	f.AddView("gold", "busiest_vessels", "silver.vessels", "bronze.port_main_calls")
	return f
}

// AddTopic adds a landed topic with its two tables.
func (f *Feed) AddTopic(topic, bronze, silver string, rows int64, now time.Time) {
	f.TopicsNow = append(f.TopicsNow, bus.PartitionStats{Topic: topic, NextOffset: rows, Bytes: rows * 310, Land: true})
	l := pipeline.Landing{
		Topic: topic, Bronze: table.Ident{Namespace: "bronze", Name: bronze}, Silver: table.Ident{Namespace: "silver", Name: silver},
		BronzeRows: rows, SilverRows: rows, BronzeNext: rows, SilverNext: rows, LagMillis: 640, LagRecords: 3, CommittedAt: now, State: "landing",
	}
	f.LandingsNow = append(f.LandingsNow, l)
	for _, id := range []table.Ident{l.Bronze, l.Silver} {
		f.StatsNow = append(f.StatsNow, catalog.Stats{
			Ident: id, ID: id.String(), Rows: rows, Files: rows/100 + 1, Bytes: rows * 41, SnapshotID: 8471236109345672001, CommittedAt: now, Owner: "landing", Topic: topic,
		})
		f.HealthNow = append(f.HealthNow, catalog.Health{
			Ident: id, Files: rows/100 + 1, SmallFiles: rows / 130, Bytes: rows * 41, Rows: rows, Snapshots: 61,
		})
	}
}

// AddView adds a view over tables.
func (f *Feed) AddView(namespace, name string, inputs ...string) {
	v := catalog.View{Ident: table.Ident{Namespace: namespace, Name: name}, Dialect: "duckdb", Columns: make([]table.Column, 3)}
	for _, in := range inputs {
		v.Inputs = append(v.Inputs, "lake."+in)
	}
	f.ViewsNow = append(f.ViewsNow, v)
}

// AddPipeline adds a pipeline into a table of gold, with the table, over mirrors and topics.
func (f *Feed) AddPipeline(name, statement string, now time.Time, reads ...pipeline.Read) *pipeline.Status {
	into := table.Ident{Namespace: "gold", Name: name}
	f.PipelinesNow = append(f.PipelinesNow, pipeline.Status{
		Definition: pipeline.Definition{ID: "id of " + name, Name: into.String(), Statement: statement, Owner: "local", Into: into, Reads: reads, CreatedAt: now},
		State:      pipeline.Running, Rows: 4200, Emitted: 900, Ticks: 300, Epoch: 300, TickTime: 4 * time.Millisecond, CommittedAt: now,
	})
	f.StatsNow = append(f.StatsNow, catalog.Stats{
		Ident: into, ID: into.String(), Rows: 46, Files: 9, Bytes: 18_400, SnapshotID: 8471236109345672001, CommittedAt: now, Owner: "id of " + name,
	})
	f.HealthNow = append(f.HealthNow, catalog.Health{Ident: into, Files: 9, SmallFiles: 9, Bytes: 18_400, Rows: 46, Snapshots: 50})
	return &f.PipelinesNow[len(f.PipelinesNow)-1]
}

// AddPipelines adds three: over a mirror, over a topic with time, and one that waits.
func (f *Feed) AddPipelines(now time.Time) {
	mirror := func(name string) pipeline.Read {
		return pipeline.Read{Topic: "port.main." + name, Mirror: table.Ident{Namespace: "silver", Name: name}}
	}
	p := f.AddPipeline("by_berth", "CREATE MATERIALIZED VIEW by_berth AS\nSELECT berth, status, count(*) AS n\nFROM silver.calls\nGROUP BY berth, status", now, mirror("calls"))
	p.Stateful, p.StateRows = true, new(int64(79))
	p = f.AddPipeline("moves_per_minute", "CREATE MATERIALIZED VIEW moves_per_minute AS SELECT window_start, crane, count(*) AS n FROM TUMBLE(moves, moved_at, INTERVAL 1 MINUTE) GROUP BY window_start, crane EMIT ON WINDOW CLOSE", now, pipeline.Read{Topic: "port.main.moves"})
	p.Watermark, p.Holder, p.Late, p.Dead, p.LagRecords = now.Add(-42*time.Second), "port.main.moves/0", 17, 3, 64
	p = f.AddPipeline("vessels_of_flag", "CREATE MATERIALIZED VIEW vessels_of_flag AS SELECT flag, count(*) AS n FROM silver.vessels GROUP BY flag", now, mirror("vessels"))
	p.State, p.Rows, p.Emitted, p.CommittedAt = pipeline.Waiting, 0, 0, time.Time{}
	p.Error, p.Hint = "read topic port.main.vessels: there is no such topic", "it is waited for"
}

// Step lets rows arrive in every topic, by its place in the list.
func (f *Feed) Step(rows int64, now time.Time) {
	f.Lock()
	defer f.Unlock()
	for i := range f.TopicsNow {
		n := rows / int64(i+1)
		f.TopicsNow[i].NextOffset += n
		f.TopicsNow[i].Bytes += n * 310
		if i >= len(f.LandingsNow) {
			continue
		}
		l := &f.LandingsNow[i]
		l.BronzeRows, l.SilverRows, l.BronzeNext, l.SilverNext = l.BronzeRows+n, l.SilverRows+n, l.BronzeNext+n, l.SilverNext+n
		l.LagRecords, l.LagMillis, l.CommittedAt = n, 200+(l.LagMillis+170)%900, now
		for at := range f.StatsNow {
			switch t := &f.StatsNow[at]; t.Ident {
			case l.Bronze:
				t.Rows, t.CommittedAt = t.Rows+n, now
			case l.Silver:
				t.Rows += n / 2
			}
		}
	}
	for i := range f.PipelinesNow {
		p := &f.PipelinesNow[i]
		if p.State != pipeline.Running {
			continue
		}
		p.Rows, p.Emitted, p.Ticks, p.CommittedAt = p.Rows+rows, p.Emitted+rows/3, p.Ticks+1, now
		if !p.Watermark.IsZero() {
			p.Watermark = now.Add(-42 * time.Second)
		}
	}
	if len(f.SourcesNow) > 0 {
		f.SourcesNow[0].Rows += rows * 2
	}
}

// Trouble makes things go wrong in each of the ways that a page shows.
func (f *Feed) Trouble() {
	f.Lock()
	defer f.Unlock()
	l := &f.LandingsNow[1]
	l.State, l.Error, l.Hint = "quarantined", "commit bronze.port_main_moves: disk full", "free some room; landing goes on by itself"
	l.LagMillis, l.LagRecords = 95_000, 18_200
	f.LandingsNow[2].DeadLetters = 3
	f.SourcesNow[0].State, f.SourcesNow[0].Error, f.SourcesNow[0].Hint = "retrying", "open port.db: database is locked", "close the program that holds it"
	f.SourcesNow[0].Findings = []source.Finding{{Table: "log", Message: "the table has no key: it gets no mirror", Hint: "add a PRIMARY KEY"}}
	f.SourcesNow[0].Lag.Bytes = 12_400_000
	q := &f.SourcesNow[0].Tables[1]
	q.State, q.Error, q.Hint = source.Quarantined, "table moves is quarantined: a change of 25165900 bytes is more than the 25161728 that the log takes", "make the row smaller, then snapshot the table anew; the other tables go on"
	f.PartsNow[3].State, f.PartsNow[3].Error, f.PartsNow[3].Hint = life.Degraded, l.Error, l.Hint
	f.PartsNow[3].LagMillis = 95_000
}

// Damage makes a table unreadable, and keeps upkeep from another.
func (f *Feed) Damage() {
	f.Lock()
	defer f.Unlock()
	f.PartsNow = append(f.PartsNow, life.Status{
		Name: "table:silver.ports", State: life.Failed, Error: "read data/00012.parquet: it ends after 4096 of 18211 bytes", Hint: "stop Tarn and put the file back from a backup",
	})
	f.StatsNow = slices.DeleteFunc(f.StatsNow, func(s catalog.Stats) bool { return s.String() == "silver.ports" })
	f.HealthNow = slices.DeleteFunc(f.HealthNow, func(h catalog.Health) bool { return h.String() == "silver.ports" })
	f.HealthNow[0].Reason = "a snapshot cannot be read: its orphans are left where they are"
}

// Hostile is text that must never become more than text.
const Hostile = `<img src=x onerror="document.title='owned'">'"--</script><script>document.title='owned'</script>`

// HostileNames gives every name that data can choose a hostile one.
func HostileNames(now time.Time) *Feed {
	f := &Feed{PortsNow: map[string]string{"http": "127.0.0.1:7700", Hostile: Hostile}}
	f.PartsNow = []life.Status{{Name: Hostile, State: life.Degraded, Error: Hostile, Hint: Hostile}}
	f.SourcesNow = []source.Status{{Name: Hostile, Kind: Hostile, State: "failed", Position: Hostile, Error: Hostile, Hint: Hostile, Topics: []string{Hostile}, Tables: []source.TableState{{Table: Hostile, Topic: Hostile, State: Hostile, Error: Hostile, Hint: Hostile}}, Findings: []source.Finding{{Table: Hostile, Message: Hostile + "!", Hint: Hostile, SQL: Hostile}}}}
	f.GroupsNow = []group.Line{{Group: Hostile, State: group.Empty, Topic: Hostile}}
	f.AddTopic(Hostile, Hostile, Hostile, 10, now)
	f.LandingsNow[0].Findings = []string{Hostile + "?"}
	f.HealthNow[0].Reason, f.HealthNow[1].Action, f.HealthNow[1].Reason = Hostile+"#", Hostile, Hostile
	p := f.AddPipeline("p"+Hostile, Hostile, now, pipeline.Read{Topic: Hostile, Mirror: f.LandingsNow[0].Silver})
	p.State, p.Error, p.Hint, p.Holder, p.Late, p.Dead, p.Ahead = Hostile, Hostile+"%", Hostile, Hostile, 1, 1, 1
	f.AddView("gold", Hostile, "silver."+Hostile, "silver."+strings.ToUpper(Hostile))
	return f
}

// Kinds are two sorts of connectors.
func Kinds() []source.Kind {
	return []source.Kind{
		{Class: "io.tarn.sqlite.SqliteConnector", Name: "sqlite", Title: "SQLite", Fields: []source.Field{
			{Key: "database.path", Required: true, Doc: "the database file; a relative path starts at the project folder"},
			{Key: "topic.prefix", Required: true, Doc: "topics are named <prefix>.main.<table>"},
			{Key: "snapshot.mode", Default: "initial", Doc: "initial (a table's first time), always (at every start), when_needed (as initial), no_data (only changes from now on)"},
		}},
		{Class: "io.tarn.files.FilesConnector", Name: "files", Title: "Files of a directory", Fields: []source.Field{
			{Key: "files.path", Required: true, Doc: "the directory"}, {Key: "topic", Required: true, Doc: "the topic that the records go to"},
		}},
	}
}
