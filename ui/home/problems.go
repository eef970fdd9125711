package home

import (
	"cmp"
	"net/url"
	"slices"

	"tarn/embedded/life"
	"tarn/embedded/sqltext"
	"tarn/ingest/source"
	"tarn/ui/words"
)

// problemsMax bounds what the page lists; more of them say nothing new.
const problemsMax = 50

type problemList struct {
	list []Problem
	seen map[string]bool
}

func (l *problemList) add(p Problem) {
	if p.Message.Empty() || len(l.list) >= problemsMax {
		return
	}
	p.Level = worse(p.Level, Note)
	l.seen[p.Message.String()] = true
	l.list = append(l.list, p)
}

// addPart leaves out what a source or a landing has said already: parts report the
// faults of what is within them.
func (l *problemList) addPart(p life.Status) {
	level := Warn
	if p.State == life.Failed {
		level = Bad
	}
	if !l.seen[p.Error] {
		l.add(Problem{level, words.Plain(p.Name), words.Plain(p.Error), words.Plain(p.Hint), ""})
	}
}

func problems(in Input) []Problem {
	l := &problemList{seen: map[string]bool{}, list: []Problem{}}
	for _, s := range in.Sources {
		l.source(s)
	}
	for _, t := range in.Landings {
		where := words.Say("landing of %s", t.Topic)
		l.add(Problem{worse(landingLevel(t.State), Warn), where, words.Plain(t.Error), words.Plain(t.Hint), ""})
		for _, f := range t.Findings {
			l.add(Problem{Note, where, words.Plain(f), words.Text{}, ""})
		}
		if t.DeadLetters > 0 {
			l.add(Problem{
				Warn, where, words.Many(t.DeadLetters, "%s record of %s could not be read and was set aside", "%s records of %s could not be read and were set aside", t.Topic),
				words.Plain("SELECT * FROM system.dead_letter WHERE topic = " + sqltext.Literal(t.Topic)), "",
			})
		}
	}
	for _, p := range in.Pipelines {
		l.pipeline(p)
	}
	for _, t := range in.Topics {
		l.add(Problem{Warn, words.Say("topic %s", t.Topic), words.Plain(t.Finding), words.Text{}, ""})
	}
	for _, p := range in.Parts {
		l.addPart(p)
	}
	l.care(in.Care)
	if in.Lake.Err != nil {
		l.add(Problem{Warn, words.Say("lake"), words.Say("The catalog did not answer: %s", in.Lake.Err.Error()), words.Say("the figures of tables are older than the rest"), ""})
	}
	slices.SortStableFunc(l.list, func(a, b Problem) int { return cmp.Compare(weight(b.Level), weight(a.Level)) })
	return l.list
}

func (l *problemList) source(s source.Status) {
	where := words.Say("source %s", s.Name)
	l.add(Problem{worse(sourceLevel(s.State), Warn), where, words.Plain(s.Error), words.Plain(s.Hint), ""})
	for _, f := range s.Findings {
		level := Note
		if f.Fatal {
			level = Bad
		}
		if f.Table != "" {
			l.add(Problem{level, words.Say("source %s, table %s", s.Name, f.Table), words.Plain(f.Message), words.Plain(f.Hint), ""})
		} else {
			l.add(Problem{level, where, words.Plain(f.Message), words.Plain(f.Hint), ""})
		}
	}
	if s.Dead > 0 {
		l.add(Problem{
			Note, where, words.Many(s.Dead, "%s record of %s could not be read and was set aside", "%s records of %s could not be read and were set aside", s.Name),
			words.Plain(oneLine(deadQuery(s.Topics))), "/sources/" + url.PathEscape(s.Name) + "#dead",
		})
	}
}

func weight(l Level) int { return slices.Index([]Level{OK, Idle, Note, Warn, Bad}, l) }

func worse(a, b Level) Level {
	if weight(b) > weight(a) {
		return b
	}
	return a
}

func sourceLevel(state string) Level {
	switch state {
	case "failed", "needs_resnapshot":
		return Bad
	case "retrying":
		return Warn
	case "paused", "stopped":
		return Idle
	}
	return OK
}

func landingLevel(state string) Level {
	switch state {
	case "quarantined":
		return Bad
	case "retrying":
		return Warn
	}
	return OK
}
