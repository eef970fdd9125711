package lab

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"tarn/embedded/sqltext"
	"tarn/lake/table"
	"tarn/ui/words"
)

// steps are the nine. Their titles, and for the sample their statements, are those of README's tour.
func (h *house) steps() []Step {
	list := []Step{h.sourceStep(), h.topicStep(), h.bronzeStep(), h.silverStep(), h.pipelineStep(), h.goldStep(), h.pastStep(), h.faultStep(), h.killStep()}
	for i := range list {
		list[i].Number = i + 1
		if h.topic == "" && slices.Contains([]string{"topic", "bronze", "past"}, list[i].ID) { // of no table there is nothing to ask
			list[i].Asks, list[i].judge = nil, func([]Rows) Found { return h.nothing() }
		}
	}
	return list
}

func (h *house) sourceStep() Step {
	s := Step{
		ID: "source", Title: words.Say("A source is watched"), Page: "/sources",
		Learn: words.Say("A source watches what knows nothing of Tarn: a database, or files. What it reads it keeps in order, and after a stop it goes on where it stood."),
		Do:    []Act{{SQL, words.Say("See what is watched, and how it is."), "SELECT name, kind, state, rows FROM system.sources"}},
		Asks:  []string{"SELECT name, state, rows, error, hint FROM system.sources ORDER BY name"},
		judge: judgeSource,
	}
	switch {
	case h.source != "":
		s.Page = "/sources/" + url.PathEscape(h.source)
		s.Asks[0] = "SELECT name, state, rows, error, hint FROM system.sources WHERE name = " + sqltext.Literal(h.source)
	case h.topic != "":
		s.Asks = append(s.Asks, h.asksLog())
		s.judge = func(a []Rows) Found { return judgePosted(a, h.topic) }
	default:
		s.Do = append(s.Do, Act{Post, words.Say("Nothing feeds this Tarn yet. A record that is posted needs no source; a database or files are added on the page Sources; tarn up --sample starts a port that does all of it."), `{"said": "hello", "n": 1}`})
	}
	return s
}

// asksLog asks what the log has of the topic.
func (h *house) asksLog() string {
	return "SELECT sum(next_offset - log_start) AS kept, sum(next_offset) AS appended FROM system.topics WHERE name = " + sqltext.Literal(h.topic)
}

func (h *house) topicStep() Step {
	return Step{
		ID: "topic", Title: words.Say("The log keeps each change"), Page: "/topics?" + url.Values{"topic": {h.topic}}.Encode(),
		Learn: words.Say("Each change is a record of a topic, at an offset that never changes. It is acknowledged when the disk has it, and not before."),
		Do:    h.needs(Act{SQL, words.Say("See how many records the topic has."), "SELECT name, next_offset FROM system.topics WHERE name = " + sqltext.Literal(h.topic)}),
		Asks:  []string{h.asksLog()},
		judge: func(a []Rows) Found { return judgeTopic(a, h.topic) },
	}
}

func (h *house) bronzeStep() Step {
	columns := "*"
	if h.silver.Name != "" {
		columns = "_offset, _op, after"
	}
	return Step{
		ID: "bronze", Title: words.Say("Bronze keeps every event"), Page: inLake(h.bronze),
		Learn: words.Say("Every record of a topic is a row of an Iceberg table, with its offset. Its rows and the offsets that they came from are one commit, so that no restart loses or doubles one."),
		Do:    h.needs(Act{SQL, words.Say("See the newest events."), "SELECT " + columns + " FROM " + quoted(h.bronze) + " ORDER BY _offset DESC LIMIT 3"}),
		Asks:  []string{"SELECT count(*) AS rows, max(_offset) AS newest FROM " + quoted(h.bronze)},
		judge: func(a []Rows) Found { return judgeBronze(a, h.bronze.String()) },
	}
}

func (h *house) silverStep() Step {
	mirror, events := h.silver, h.bronze
	s := Step{
		ID: "silver", Title: words.Say("Silver equals its source"), Page: inLake(mirror),
		Learn: words.Say("A table with a key has a mirror, which equals it within a second or two. An update changes its row there, and bronze keeps both events."),
	}
	if mirror.Name == "" {
		s.Page = "/sources?new=1"
		s.Do = []Act{{SQL, words.Say("What is posted, or read from files, has no key and so no mirror. Add a database on the page Sources; then look at the mirrors."), "SHOW TABLES FROM silver"}}
		s.judge = func([]Rows) Found {
			return Found{Text: words.Say("There is no mirror here."), Next: words.Say("Add a source of a database; all other steps go on without.")}
		}
		return s
	}
	if h.sample() {
		mirror, events = table.Ident{Namespace: "silver", Name: "ports"}, table.Ident{Namespace: "bronze", Name: "port_main_ports"}
		s.Page = inLake(mirror)
		s.Do = []Act{
			{Shell, words.Say("Change a row with any tool."), fmt.Sprintf(`sqlite3 -cmd ".timeout 2000" %s "UPDATE ports SET name = 'Tanger' WHERE locode = 'MAPTM'"`, word(h.Database))},
			{SQL, words.Say("Ask for it a second later."), "SELECT name FROM silver.ports WHERE locode = 'MAPTM'"},
		}
	} else {
		s.Do = []Act{{SQL, words.Say("Change a row of the database of %s with any tool, and look at the rows that changed last.", h.source), "SELECT * FROM " + quoted(mirror) + " ORDER BY _offset DESC LIMIT 5"}}
	}
	s.Asks = []string{
		"SELECT count(*) AS rows FROM " + quoted(mirror),
		"SELECT count(*) AS changes FROM " + quoted(events) + " WHERE _op IN ('u', 'd')",
	}
	s.judge = func(a []Rows) Found { return judgeSilver(a, mirror.String()) }
	return s
}

func (h *house) pipelineStep() Step {
	s := Step{
		ID: "pipeline", Title: words.Say("A pipeline runs for ever"), Page: "/pipelines/" + url.PathEscape(h.pipeline),
		Learn: words.Say("A pipeline is a SELECT that never ends: it reads what is there, then each change as it comes. Its table is exact through kill -9, as everything here is."),
		Asks:  []string{"SELECT name, state, rows, lag, error, hint FROM system.pipelines WHERE name = " + sqltext.Literal(h.pipeline)},
		judge: func(a []Rows) Found { return judgePipeline(a, h.pipeline) },
	}
	why := words.Say("Make one. A statement that is there already changes nothing.")
	for _, statement := range h.makes {
		s.Do = append(s.Do, Act{SQL, why, statement})
		why = words.Text{}
	}
	if len(h.makes) == 0 {
		s.Do = h.needs(Act{SQL, words.Say("See which ones there are."), "SHOW PIPELINES"})
	}
	return s
}

func (h *house) goldStep() Step {
	order := ""
	if h.sample() {
		order = " ORDER BY calls DESC"
	}
	s := Step{
		ID: "gold", Title: words.Say("Gold is its answer"), Page: inLake(h.gold),
		Learn: words.Say("The answer of a pipeline is an ordinary Iceberg table, which any reader of Iceberg reads. It changes by itself when the data do."),
		Do:    []Act{{SQL, words.Say("Ask it, and ask again in a while."), "FROM " + quoted(h.gold) + order + " LIMIT 5"}},
		Asks:  []string{"SELECT count(*) AS rows FROM " + quoted(h.gold)},
		judge: func(a []Rows) Found { return judgeGold(a, h.gold.String()) },
	}
	if h.sample() {
		s.Do = append(s.Do, Act{SQL, words.Say("A view is computed when it is asked. What a port manager reads is made of both."), "SELECT port, berth, moves, moves_per_hour FROM gold.berth_productivity"})
	}
	return s
}

func (h *house) pastStep() Step {
	of := h.bronze
	if h.silver.Name != "" {
		of = h.silver
	}
	ask := fmt.Sprintf("SELECT (SELECT count(*) FROM %[1]s) AS now, (SELECT count(*) FROM %[1]s AT (TIMESTAMP => now() - INTERVAL 10 SECOND)) AS before", quoted(of))
	return Step{
		ID: "past", Title: words.Say("Ask, also for the past"), Page: "/sql",
		Learn: words.Say("A query sees one snapshot of each table, and may name an older one. Ask here, by tarn sql, or from any program by HTTP: the answer is the same."),
		Do:    h.needs(Act{SQL, words.Say("Ask for now and for ten seconds ago; then copy it as CLI or curl, and ask from outside."), ask}),
		Asks:  []string{ask},
		judge: func(a []Rows) Found { return judgePast(a, of.String()) },
	}
}

func (h *house) faultStep() Step {
	s := Step{
		ID: "fault", Title: words.Say("What goes wrong is told"), Page: "/pipelines",
		Learn: words.Say("A row that comes after its window has closed goes to system.late; a record that cannot be read goes to system.dead_letter, with its offset and the reason. Nothing is dropped in silence, and the rest goes on."),
		Asks:  []string{"SELECT count(*) AS late FROM system.late", "SELECT count(*) AS dead FROM system.dead_letter"},
		judge: func(a []Rows) Found { return judgeFaults(a, h.Faults) },
	}
	if h.Faults == nil {
		s.Do = []Act{
			{Post, words.Say("Post a record whose n is no number."), `{"n": "twelve"}`},
			{SQL, words.Say("Say how its topic is read: n is a number. A pipeline over it meets the record."), "CREATE SOURCE lab_numbers (n INT)\nWITH (connector = 'kafka', topic = 'lab', format = 'json')"},
			{SQL, words.Text{}, "CREATE MATERIALIZED VIEW gold.lab_sum AS\nSELECT sum(n) AS total FROM lab_numbers"},
		}
	}
	s.Do = append(s.Do,
		Act{SQL, words.Say("See what could not be read, and why."), "SELECT topic, \"offset\", error, value FROM system.dead_letter ORDER BY \"at\" DESC LIMIT 5"},
		Act{SQL, words.Say("See what came too late, and for which window."), "SELECT pipeline, window_start, watermark, value FROM system.late ORDER BY \"at\" DESC LIMIT 5"})
	return s
}

func (h *house) killStep() Step {
	return Step{
		ID: "kill", Title: words.Say("kill -9 loses nothing"), Page: "/topics?topic=" + Topic,
		Learn: words.Say("What is acknowledged is on the disk, so a process that is killed has nothing to lose. What was written to a source meanwhile is read when Tarn is back, once."),
		Do: []Act{
			{Post, words.Say("Post a record. The answer 202 is the promise."), `{"said": "kept"}`},
			{Shell, words.Say("Kill this Tarn, without a warning. Then start it again as you did before: this page comes back by itself."), fmt.Sprintf("kill -9 %d", h.Process)},
		},
		Asks: []string{
			"SELECT sum(next_offset) AS appended FROM system.topics WHERE name = '" + Topic + "'",
			"SELECT count(*) AS rows, count(DISTINCT _partition || '/' || _offset) AS offsets, count(*) FILTER (WHERE _timestamp < TIMESTAMPTZ '" +
				h.Started.UTC().Format("2006-01-02 15:04:05.000") + "+00') AS before_this_start FROM bronze." + Topic,
		},
		judge: judgeKill,
	}
}

// nothing is what a step finds that is over no topic.
func (h *house) nothing() Found {
	if h.Topic != "" {
		return Found{Text: words.Say("There is no topic or table %s here.", h.Topic), Next: words.Say("Choose one beside the steps.")}
	}
	return Found{Text: words.Say("There is no topic yet."), Next: words.Say("Go back to the first step, which says what to start.")}
}

// needs is an act over what the tour is over, or where there is nothing yet what to start.
func (h *house) needs(act Act) []Act {
	if h.topic != "" {
		return []Act{act}
	}
	if h.Topic != "" {
		return []Act{{SQL, words.Say("See what there is."), "SHOW TABLES"}}
	}
	return []Act{{Post, words.Say("There is no topic yet: post a record, or go back to the first step."), `{"said": "hello", "n": 1}`}}
}

func inLake(id table.Ident) string { return "/lake/" + url.PathEscape(id.String()) }

// word is a text as one word of a shell, bare where it may be.
func word(text string) string {
	if strings.IndexFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("/._-", r)
	}) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
