//go:build duckdb_arrow

package command

import (
	"context"
	"strings"

	"tarn/embedded/sqltext"
	"tarn/lake/table"
	"tarn/stream/pipeline"
)

// Rehearse looks at statements that declare sources and make pipelines as if they were run one after the other,
// without a Tarn that runs, and has an error or nil for each. A pipeline is planned over the sources that the
// statements declare; one that reads anything else is NotFound, for only a lake knows its mirrors. Other statements
// are passed over.
func Rehearse(ctx context.Context, statements []string) []error {
	p := &Pipelines{o: Options{Tables: nowhere{}}, streams: map[string]stream{}}
	out := make([]error, len(statements))
	made := make([]*sqltext.Continuous, len(statements))
	for i, statement := range statements {
		switch head := strings.Join(sqltext.Verbs(statement, 2), " "); head {
		case "CREATE SOURCE", "CREATE TABLE":
			out[i] = p.rehearseSource(statement)
		case "CREATE MATERIALIZED", "CREATE PIPELINE", "INSERT INTO", "ALTER PIPELINE":
			if c, err := sqltext.ParseContinuous(statement); err == nil { // what cannot be read was told before
				made[i] = &c
			}
		}
	}
	for i, c := range made {
		if c == nil {
			continue
		}
		if _, out[i] = target(c.Into, statements[i]); out[i] == nil {
			_, out[i] = p.prepare(ctx, *c, pipeline.Definition{Statement: statements[i]})
		}
	}
	_ = p.closePlanner() // it has kept nothing
	return out
}

func (p *Pipelines) rehearseSource(statement string) error {
	declared, err := sqltext.ParseStream(statement)
	if err != nil {
		return nil //nolint:nilerr // what cannot be read was told before
	}
	s := stream{pipeline.Stream{Name: strings.ToLower(declared.Name.Name), Statement: statement}, declared}
	if err := p.sound(s, statement); err != nil {
		return err
	}
	p.streams[s.Name] = s
	return nil
}

// nowhere is a lake without tables.
type nowhere struct{ table.Tables }

func (nowhere) Open(context.Context, table.Ident) (table.Table, error) {
	return nil, table.ErrNotFound
}

func (nowhere) List(context.Context, string) ([]table.Ident, error) { return nil, nil }
