//go:build duckdb_arrow

package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/meta"
	"tarn/embedded/sqltext"
	"tarn/lake/table"
	"tarn/stream/pipeline"
	"tarn/stream/state"
)

// watchEvery is how often it is looked whether a pipeline that is made anew may take the old one's place.
const watchEvery = 500 * time.Millisecond

// alter makes a pipeline anew beside the old one, from history, with another body or with REBUILD
// with the same. When it has caught up the two tables change names; the old one stays as <name>__old.
func (p *Pipelines) alter(ctx context.Context, who guard.Principal, statement string) (pipeline.Answer, error) {
	none := pipeline.Answer{}
	in, err := sqltext.NewReader(statement)
	if err != nil {
		return none, err
	}
	in.Take("ALTER", "PIPELINE")
	name, err := in.Table()
	if err != nil {
		return none, err
	}
	rebuild := in.Take("REBUILD")
	if rebuild {
		err = in.Done()
	} else {
		_, err = sqltext.ParseContinuous(statement)
	}
	if err != nil {
		return none, err
	}
	old, err := p.find(name)
	if err != nil {
		return none, sqltext.At(asFault(err), statement, name.Offset)
	}
	if err := p.may(who, guard.Alter, guard.Pipeline, old.Name); err != nil {
		return none, err
	}
	p.change.Lock()
	defer p.change.Unlock()
	if rebuild {
		statement = old.Statement
	}
	return tag("ALTER PIPELINE"), p.build(ctx, old, statement)
}

// build begins to make a pipeline anew. p.change is held.
func (p *Pipelines) build(ctx context.Context, old pipeline.Definition, statement string) error {
	if old.Replaces != "" {
		return fault.Newf(fault.Invalid, "alter the one whose place it takes", "pipeline %s is being made anew itself", old.Name)
	}
	if other, ok := p.building(old.ID); ok {
		return fault.Newf(fault.Invalid, "DROP PIPELINE "+other.Name+" ends that", "pipeline %s is being made anew already", old.Name)
	}
	d := old
	d.ID, d.Statement, d.Replaces, d.Paused, d.CreatedAt = uuid.NewString(), statement, old.ID, false, p.o.Clock.Now()
	if d.Head == "" {
		d.Head = old.Statement
	}
	d.Into.Name = old.Into.Name + "__" + d.ID[:8]
	d.Name = d.Into.String()
	job, err := p.job(ctx, d)
	if err != nil {
		return err
	}
	for _, input := range job.Inputs {
		if err := p.whole(input); err != nil {
			return err
		}
	}
	d.Reads = readsOf(job)
	if err := p.keep(ctx, d); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.start(d)
	return nil
}

// whole refuses a topic whose log no longer begins at its beginning: what is made of the rest alone would lack
// the history.
func (p *Pipelines) whole(input execInput) error {
	if input.Mirror.Name != "" || input.Latest {
		return nil
	}
	topic, err := p.o.Bus.Topic(input.Topic)
	if err != nil {
		return err
	}
	for _, part := range topic.Partitions() {
		if start := part.LogStart(); start > 0 {
			return fault.Newf(fault.Invalid, "raise the topic's retention before the history is needed, or DROP the pipeline and CREATE it anew from what is left",
				"the log of topic %s partition %d begins at offset %d: a pipeline that is made anew would lack what came before", input.Topic, part.Number(), start)
		}
	}
	return nil
}

// building finds the pipeline that is to take another one's place.
func (p *Pipelines) building(id string) (pipeline.Definition, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.defs {
		if d.Replaces == id {
			return d, true
		}
	}
	return pipeline.Definition{}, false
}

// watch puts pipelines that were made anew into their places, and makes those anew whose state is of no use.
func (p *Pipelines) watch(ctx context.Context) {
	for _, s := range p.Statuses() {
		var err error
		switch {
		case s.Replaces != "" && s.Caught:
			err = p.replace(ctx, s.Definition)
		case s.Replaces != "" && s.Unusable:
			err = p.restart(ctx, s.Definition)
		case s.Unusable:
			if _, ok := p.building(s.ID); !ok {
				p.change.Lock()
				err = p.build(ctx, s.Definition, s.Statement)
				p.change.Unlock()
			}
		}
		if err != nil && ctx.Err() == nil {
			p.o.Log.Warn("pipeline is not made anew yet", "pipeline", s.Name, "error", err.Error())
		}
	}
}

// finish puts into their places what a crash kept from it after the tables had changed names.
func (p *Pipelines) finish(ctx context.Context) error {
	for _, s := range p.Statuses() {
		p.mu.Lock()
		old, ok := p.defs[s.Replaces]
		p.mu.Unlock()
		if !ok {
			continue
		}
		t, err := p.o.Tables.Open(ctx, old.Into)
		if errors.Is(err, table.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if owner, _ := t.Property(table.PropOwner); owner == s.ID {
			if err := p.replace(ctx, s.Definition); err != nil {
				return err
			}
		}
	}
	return nil
}

// restart begins the making of a pipeline once more.
func (p *Pipelines) restart(ctx context.Context, d pipeline.Definition) error {
	p.change.Lock()
	defer p.change.Unlock()
	p.stop(d.ID)
	if err := p.o.Tables.Drop(ctx, d.Into, d.ID); err != nil && !errors.Is(err, table.ErrNotFound) {
		return err
	}
	if err := state.Remove(p.statePath(d)); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.start(d)
	return nil
}

func (p *Pipelines) statePath(d pipeline.Definition) string { return p.o.Dir + "/" + d.ID + ".duckdb" }

// replace puts a pipeline into the place of the old one. Each step can be done again, after a crash between two.
func (p *Pipelines) replace(ctx context.Context, d pipeline.Definition) error {
	p.change.Lock()
	defer p.change.Unlock()
	p.mu.Lock()
	old, ok := p.defs[d.Replaces]
	p.mu.Unlock()
	if !ok {
		return fmt.Errorf("the pipeline whose place %s takes is gone", d.Name)
	}
	p.stop(d.ID)
	p.stop(old.ID)
	if err := p.exchange(ctx, old, d); err != nil {
		p.mu.Lock()
		p.start(old)
		p.start(d)
		p.mu.Unlock()
		return err
	}
	d.Name, d.Into, d.Replaces, d.Paused = old.Name, old.Into, "", old.Paused
	value, err := json.Marshal(d)
	if err != nil {
		return err
	}
	if err := p.o.Meta.Put(ctx, meta.Entry{Bucket: meta.Pipelines, Key: d.ID, Value: value}, meta.Entry{Bucket: meta.Pipelines, Key: old.ID}); err != nil {
		return err
	}
	p.mu.Lock()
	delete(p.defs, old.ID)
	p.defs[d.ID] = d
	p.start(d)
	p.mu.Unlock()
	p.unhold(old)
	p.o.Log.Info("pipeline was made anew", "pipeline", d.Name)
	return state.Remove(p.statePath(old))
}

// exchange gives the new table the old one's name, and the old one <name>__old.
func (p *Pipelines) exchange(ctx context.Context, old, d pipeline.Definition) error {
	aside := table.Ident{Namespace: old.Into.Namespace, Name: old.Into.Name + "__old"}
	t, err := p.o.Tables.Open(ctx, old.Into)
	switch {
	case errors.Is(err, table.ErrNotFound): // it was dropped, which is why
		return p.o.Tables.Rename(ctx, d.Into, old.Into)
	case err != nil:
		return err
	}
	if owner, _ := t.Property(table.PropOwner); owner != d.ID {
		if err := p.o.Tables.Exchange(ctx, old.Into, d.Into); err != nil {
			return err
		}
	}
	left, err := p.o.Tables.Open(ctx, d.Into)
	if errors.Is(err, table.ErrNotFound) {
		return nil // it has its name already
	}
	if err != nil {
		return err
	}
	if _, err := p.o.Tables.Open(ctx, aside); err == nil {
		if err := p.o.Tables.Drop(ctx, aside, ""); err != nil {
			return err
		}
	}
	if owner, _ := left.Property(table.PropOwner); owner == old.ID {
		if _, err := left.Commit(ctx, table.Change{Owner: old.ID, Properties: map[string]string{table.PropOwner: ""}}); err != nil {
			return err
		}
	}
	return p.o.Tables.Rename(ctx, d.Into, aside)
}

// unhold lets retention go on past where a pipeline stood.
func (p *Pipelines) unhold(d pipeline.Definition) {
	for _, t := range p.o.Bus.Topics() {
		for _, one := range t.Partitions() {
			one.Hold("pipeline:"+d.ID, math.MaxInt64)
		}
	}
}
