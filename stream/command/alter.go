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

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/meta"
	"tarn/embedded/sqltext"
	"tarn/lake/table"
	"tarn/stream/exec"
	"tarn/stream/pipeline"
	"tarn/stream/state"
)

// watchEvery is how often it is looked whether a pipeline that is made anew may take the old one's place.
const watchEvery = 500 * time.Millisecond

// watchPause is how long it is waited after that failed.
const watchPause = 30 * time.Second

// propAside is the property of a table that has given its name to a newer one: the pipeline's name.
const propAside = "tarn.aside"

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
	p.change.Lock()
	defer p.change.Unlock()
	old, err := p.find(name)
	if err != nil {
		return none, sqltext.At(asFault(err), statement, name.Offset)
	}
	if err := p.may(who, guard.Alter, guard.Pipeline, old.Name); err != nil {
		return none, err
	}
	old.Reads = nil // a star means what there is now
	if rebuild {
		return tag("ALTER PIPELINE"), p.build(ctx, who, old, old.Statement, true)
	}
	return tag("ALTER PIPELINE"), p.build(ctx, who, old, statement, false)
}

// build begins to make a pipeline anew, also of a log that does not go back to where the old one began if that is told.
// p.change is held.
func (p *Pipelines) build(ctx context.Context, who guard.Principal, old pipeline.Definition, statement string, partly bool) error {
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
	if err := p.mayRead(who, job); err != nil {
		return err
	}
	d.Reads = readsOf(job)
	p.hold(d)
	if err := p.begin(ctx, old.Name, &d, job, partly); err != nil {
		p.unhold(d)
		return err
	}
	if err := p.keep(ctx, d); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.start(d)
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
	p.startAgain(ctx)
	for _, s := range p.Statuses() {
		if p.o.Clock.Now().Before(p.later[s.ID]) {
			continue
		}
		var err error
		switch {
		case s.Replaces != "" && s.Caught:
			err = p.replace(ctx, s.Definition)
		case s.Replaces != "" && s.Unusable:
			err = p.restart(ctx, s.Definition)
		case s.Unusable:
			if _, ok := p.building(s.ID); !ok {
				p.change.Lock()
				err = p.build(ctx, guard.Principal{User: s.Owner}, s.Definition, s.Statement, false)
				p.change.Unlock()
			}
		}
		if err != nil && ctx.Err() == nil {
			p.later[s.ID] = p.o.Clock.Now().Add(watchPause)
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

// startAgain starts what a change that failed half-way has left stopped.
func (p *Pipelines) startAgain(ctx context.Context) {
	if !p.change.TryLock() {
		return // somebody changes them now
	}
	var stopped []pipeline.Definition
	p.mu.Lock()
	for id, d := range p.defs {
		if p.runs[id] == nil && !d.Paused {
			stopped = append(stopped, d)
		}
	}
	p.mu.Unlock()
	p.change.Unlock()
	if len(stopped) == 0 {
		return
	}
	if err := p.finish(ctx); err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range stopped {
		if now, ok := p.defs[d.ID]; ok && p.runs[d.ID] == nil {
			p.start(now)
		}
	}
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
		if !p.exchanged(ctx, old, d) { // else startAgain ends what was begun, for neither would find its table
			p.mu.Lock()
			p.start(old)
			p.start(d)
			p.mu.Unlock()
		}
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

// exchanged tells whether the new table has the old one's name, or may have it.
func (p *Pipelines) exchanged(ctx context.Context, old, d pipeline.Definition) bool {
	t, err := p.o.Tables.Open(ctx, old.Into)
	if err != nil {
		return !errors.Is(err, table.ErrNotFound)
	}
	owner, _ := t.Property(table.PropOwner)
	return owner == d.ID
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
	if before, err := p.o.Tables.Open(ctx, aside); err == nil {
		if _, ours := before.Property(propAside); !ours { // somebody else's table of that name
			aside.Name += "_" + d.ID[:8]
		} else if err := p.o.Tables.Drop(ctx, aside, ""); err != nil {
			return err
		}
	}
	if owner, _ := left.Property(table.PropOwner); owner == old.ID {
		change := table.Change{Owner: old.ID, Properties: map[string]string{table.PropOwner: "", propAside: old.Name}}
		if _, err := left.Commit(ctx, change); err != nil {
			return err
		}
	}
	return p.o.Tables.Rename(ctx, d.Into, aside)
}

// hold keeps what a pipeline has not read in the log, from before it runs.
func (p *Pipelines) hold(d pipeline.Definition) { p.holdAt(d, (*bus.Partition).LogStart) }

// unhold lets retention go on past where a pipeline stood.
func (p *Pipelines) unhold(d pipeline.Definition) {
	p.holdAt(d, func(*bus.Partition) int64 { return math.MaxInt64 })
}

func (p *Pipelines) holdAt(d pipeline.Definition, next func(*bus.Partition) int64) {
	for i, read := range d.Reads {
		topic, err := p.o.Bus.Topic(read.Topic)
		if err != nil {
			continue // it is not there yet
		}
		for _, one := range topic.Partitions() {
			one.Hold(exec.Holder(d.ID, i), next(one))
		}
	}
}
