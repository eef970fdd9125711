package postgres

import (
	"fmt"
	"slices"

	"tarn/ingest/source"
)

// Findings is what was found while reading. Any goroutine may call it.
func (r *reader) Findings() []source.Finding {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.findings)
}

// Lag is how far behind the source is. Any goroutine may call it.
func (r *reader) Lag() source.Lag {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lag
}

func (r *reader) happened(f source.Finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.findings = append(r.findings, f)
}

// find notes what a person should know of the tables.
func (r *reader) find(tables, missing []*table) {
	out := findingsOf(&r.s, tables, missing)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.findings = out
}

// findingsOf says what a person should know of tables.
func findingsOf(s *settings, tables, missing []*table) []source.Finding {
	var out []source.Finding
	for _, t := range tables {
		name := t.full()
		switch {
		case slices.Contains(missing, t):
			out = append(out, source.Finding{
				Table: name, Message: fmt.Sprintf("table %s is not in the publication %s, so its changes are not captured", name, s.publication),
				Hint: "add it; it is then snapshotted", SQL: "ALTER PUBLICATION " + ident(s.publication) + " ADD TABLE " + t.quoted(),
			})
		case !t.keyed() && t.identity != 'f':
			out = append(out, source.Finding{
				Table: name, Message: fmt.Sprintf("table %s has no primary key: PostgreSQL refuses UPDATE and DELETE on it while it is published, and it lands in bronze alone", name),
				Hint: "add a PRIMARY KEY, or let the log have whole rows", SQL: "ALTER TABLE " + t.quoted() + " REPLICA IDENTITY FULL",
			})
		case !t.keyed():
			out = append(out, source.Finding{
				Table: name, Message: fmt.Sprintf("table %s has no primary key: its changes land in bronze, without a mirror in silver", name),
				Hint: "add a PRIMARY KEY to have a mirror",
			})
		case t.identity == 'n':
			out = append(out, source.Finding{
				Table: name, Message: fmt.Sprintf("table %s has REPLICA IDENTITY NOTHING: PostgreSQL refuses UPDATE and DELETE on it while it is published", name),
				Hint: "let the log have its key", SQL: "ALTER TABLE " + t.quoted() + " REPLICA IDENTITY DEFAULT",
			})
		}
		if len(t.generated) > 0 {
			out = append(out, source.Finding{
				Table: name, Message: fmt.Sprintf("columns %q of table %s are generated: PostgreSQL does not put them into the log, so they are left out", t.generated, name),
				Hint: "compute them in a query, or in a pipeline",
			})
		}
	}
	if len(tables) == 0 {
		out = append(out, source.Finding{Message: "no table matches the lists of the connector yet", Hint: "check " + keyTableIn + " (<schema>.<table>) and " + keySchemaIn + "; tables are picked up when they are made"})
	}
	return out
}
