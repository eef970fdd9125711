package home

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"tarn/embedded/sqltext"
	"tarn/lake/catalog"
	"tarn/lake/table"
	"tarn/ui/words"
)

// When an action of upkeep is called overdue, and how far apart two looks may be that find it
// due for it to count as due in between.
const (
	overdueAfter = 15 * time.Minute
	careGap      = 5 * time.Minute
	overdueMax   = 3 // that are told one by one
)

// Care is what upkeep makes of the tables, as the catalog said last.
type Care struct {
	At     time.Time                 // of the last look; zero before the first
	Tables map[string]catalog.Health // by schema.name
	Since  map[string]time.Time      // since when a table's action has been due
	Err    error                     // why a later look did not answer
}

// Next is the care after another look.
func (c Care) Next(now time.Time, list []catalog.Health) Care {
	next := Care{At: now, Tables: map[string]catalog.Health{}, Since: map[string]time.Time{}}
	for _, h := range list {
		name := h.String()
		next.Tables[name] = h
		if h.Action == "" {
			continue
		}
		next.Since[name] = now
		before := c.Tables[name]
		if began, ok := c.Since[name]; ok && before.Action == h.Action && !tended(before, h) && now.Sub(c.At) <= careGap {
			next.Since[name] = began
		}
	}
	return next
}

// tended tells that upkeep has been at work between two looks: what is due again in a table that is written
// to at full pace is not overdue.
func tended(before, now catalog.Health) bool {
	return now.SmallFiles < before.SmallFiles || now.DeleteFiles < before.DeleteFiles || now.Snapshots < before.Snapshots || now.OrphanFiles < before.OrphanFiles
}

// Due is for how long a table's action was seen to be due, and whether that is too long.
func (c Care) Due(name string) (time.Duration, bool) {
	since, ok := c.Since[name]
	if !ok {
		return 0, false
	}
	long := c.At.Sub(since)
	return long, long >= overdueAfter
}

// Execute is the statement that does an action at once.
func Execute(id table.Ident, a catalog.Action) string {
	return "ALTER TABLE " + sqltext.Name(id.Namespace, id.Name) + " EXECUTE " + string(a)
}

// care adds what upkeep should have done by itself and did not, and what keeps it from a table.
func (l *problemList) care(c Care) {
	var overdue []string
	for _, name := range slices.Sorted(maps.Keys(c.Tables)) {
		h := c.Tables[name]
		if h.Action == "" {
			l.add(Problem{Note, words.Say("table %s", name), words.Plain(h.Reason), words.Text{}, ""})
		}
		if _, long := c.Due(name); long {
			overdue = append(overdue, name)
		}
	}
	slices.SortStableFunc(overdue, func(a, b string) int { return c.Since[a].Compare(c.Since[b]) })
	if len(overdue) > overdueMax {
		longest, _ := c.Due(overdue[0])
		l.add(Problem{
			Warn, words.Say("tables"), words.Say("%s tables have waited for upkeep, one of them for %s", words.Count(int64(len(overdue))), words.Millis(longest.Milliseconds())),
			words.Say("the page Tables says for what"), "",
		})
		return
	}
	for _, name := range overdue {
		h := c.Tables[name]
		long, _ := c.Due(name)
		l.add(Problem{
			Warn, words.Say("table %s", name), words.Say("%s has been due for %s: %s", h.Action, words.Millis(long.Milliseconds()), reason(h)),
			words.Say("%s does it now", Execute(h.Ident, h.Action)), "",
		})
	}
}

// facts are what upkeep knows of a table, for its node.
func (c Care) facts(name string) []Fact {
	h, ok := c.Tables[name]
	if !ok {
		return nil
	}
	upkeep := words.Say("nothing to do")
	if h.Action != "" || h.Reason != "" {
		upkeep = words.Join(": ", words.State(cmp.Or(string(h.Action), "waits")), reason(h))
	}
	return facts(fact("Small files", words.Count(h.SmallFiles)), fact("Deleted rows", words.Join(", ", words.Count(h.Deleted), words.Percent(h.DeleteRatio()))),
		fact("Snapshots", words.Count(h.Snapshots)), fact("Orphans", words.Bytes(h.OrphanBytes)), fact("Upkeep", upkeep))
}

// reason is why an action is due, in the words of upkeep.
func reason(h catalog.Health) words.Text {
	if h.Reason == "" {
		return words.Say("no reason told")
	}
	return words.Plain(h.Reason)
}
