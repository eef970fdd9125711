//go:build duckdb_arrow

package command

import (
	"context"
	"slices"

	"tarn/stream/operator"
	"tarn/stream/pipeline"
	"tarn/stream/state"
)

// noteAll notes for pipelines of versions that did not which columns of mirrors they read: those that their state has. It is done before
// any of them runs, and again at the next start for one whose state or mirror cannot be read.
func (p *Pipelines) noteAll(ctx context.Context) {
	p.change.Lock()
	defer p.change.Unlock()
	for _, s := range p.Statuses() {
		d := s.Definition
		lacks := func(r pipeline.Read) bool { return r.Mirror.Name != "" && len(r.Columns) == 0 }
		if len(d.Reads) > 0 && !slices.ContainsFunc(d.Reads, lacks) {
			continue
		}
		reads, err := p.noted(ctx, d)
		if d.Reads = reads; err == nil && !slices.ContainsFunc(reads, lacks) {
			err = p.keep(ctx, d)
		}
		if err != nil {
			p.o.Log.Warn("what a pipeline reads is not noted yet", "pipeline", d.Name, "error", err.Error())
		}
	}
}

// noted is what a pipeline reads, with the columns of mirrors that its state has; none where it has no state.
func (p *Pipelines) noted(ctx context.Context, d pipeline.Definition) ([]pipeline.Read, error) {
	job, err := p.job(ctx, d)
	if err != nil {
		return nil, err
	}
	reads := readsOf(job)
	for i := range reads {
		reads[i].Columns = nil
		for _, op := range job.Plan.Operators {
			k, ok := op.(*operator.Keyed)
			if !ok || reads[i].Mirror.Name == "" || k.From != job.Plan.Scans[i].Relation {
				continue
			}
			if reads[i].Columns, err = state.Columns(ctx, p.statePath(d), k); err != nil {
				return nil, err
			}
		}
	}
	return reads, nil
}
