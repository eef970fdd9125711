//go:build duckdb_arrow

package command

import (
	"context"

	"tarn/embedded/sqltext"
	"tarn/lake/table"
	"tarn/stream/exec"
	"tarn/stream/pipeline"
	"tarn/stream/plan"
)

// Origin is what the rows of a pipeline's table are made of.
type Origin struct {
	pipeline.Definition
	Body    string   // the SELECT
	Columns []string // names given to its output; nil for those of the body
	OnClose bool     // windows emit once, when they close
	names   *names
	job     exec.Job
}

// Origin finds the pipeline that fills a table; nil where none does.
func (p *Pipelines) Origin(ctx context.Context, id table.Ident) (*Origin, error) {
	p.mu.Lock()
	var found *pipeline.Definition
	for _, d := range p.defs {
		if d.Into == id {
			found = &d
		}
	}
	p.mu.Unlock()
	if found == nil {
		return nil, nil //nolint:nilnil // nobody fills it
	}
	c, err := said(*found)
	if err != nil {
		return nil, err
	}
	job, err := p.prepare(ctx, c, *found)
	return &Origin{*found, c.Body, c.Columns, request(c).OnClose, p.names(*found), job}, err
}

// Resolve finds what a name in the pipeline's FROM means: the columns of it that the pipeline reads. It is for one goroutine.
func (o *Origin) Resolve(ctx context.Context, t sqltext.Table) (*plan.Source, exec.Input, error) {
	source, err := o.names.resolve(ctx, t)
	if err != nil {
		return nil, exec.Input{}, err
	}
	for i, scan := range o.job.Plan.Scans {
		if scan.Source.Name == source.Name {
			read := *source
			read.Columns = scan.Columns
			return &read, o.job.Inputs[i], nil
		}
	}
	return source, o.names.inputs[source.Name], nil
}
