package project

import (
	"context"
	"fmt"
	"io"
	"time"

	"tarn/embedded/fault"
	"tarn/embedded/life"
	"tarn/embedded/terminal"
)

// lookAgain is the time between two looks at what is waited for.
const lookAgain = 500 * time.Millisecond

// apply does what a plan says. Statements run in order; one whose tables are not there is tried
// again, as they may come by others, or by a source that has just begun.
type apply struct {
	tarn    Asker
	out     io.Writer
	paint   terminal.Paint
	bar     *terminal.Bar
	timeout time.Duration // for what is not there yet
}

// run does the steps that change something, and tells of each.
func (a *apply) run(ctx context.Context, plan Planned) error {
	var left []*Step
	for i := range plan {
		if s := &plan[i]; s.SQL != "" {
			left = append(left, s)
		}
	}
	all := int64(len(left))
	for end := time.Now().Add(a.timeout); ; {
		before := len(left)
		var err error
		left, err = a.round(ctx, left, all)
		switch {
		case len(left) == 0:
			return err
		case err != nil && fault.CodeOf(err) != fault.NotFound, time.Now().After(end):
			return a.stopped(err, left)
		case len(left) == before:
			if err := life.Wait(ctx, lookAgain); err != nil {
				return err
			}
		}
	}
}

// round runs each statement that is left, and returns those that must be tried again with the first reason.
func (a *apply) round(ctx context.Context, steps []*Step, all int64) (left []*Step, first error) {
	for i, s := range steps {
		a.bar.Set("steps: "+s.Kind+" "+s.Name, all-int64(len(steps)-i+len(left)), all)
		_, err := a.tarn.Records(ctx, s.SQL)
		if err == nil {
			a.tell(s)
			continue
		}
		err = s.placed(err)
		if first == nil {
			first = err
		}
		if left = append(left, s); fault.CodeOf(err) != fault.NotFound {
			return append(left, steps[i+1:]...), err
		}
	}
	return left, first
}

func (a *apply) tell(s *Step) {
	a.bar.Clear()
	_, _ = fmt.Fprintf(a.out, "%s %s %s\n", a.paint.Green(done[s.Action]), s.Kind, s.Name)
}

// done are the actions when they are.
var done = map[string]string{Create: "created  ", Alter: "altered  ", Drop: "dropped  ", Run: "ran      "}

// stopped is the error of steps that could not be done.
func (a *apply) stopped(err error, left []*Step) error {
	a.bar.Clear()
	s := left[0]
	line, column := s.Line, s.Column
	if f, ok := asFault(err); ok && f.Line > 0 {
		line, column = f.Line, f.Column
	}
	message := err.Error()
	if at := place(s.File, line, column); at != "" {
		message = at + ": " + message
	}
	if more := len(left) - 1; more > 0 {
		message += fmt.Sprintf(" (%s not done)", count(more, "more step"))
	}
	hint := fault.HintOf(err)
	if fault.CodeOf(err) == fault.NotFound && hint == "" {
		hint = "apply again when it is there"
	}
	return fault.New(fault.CodeOf(err), message, hint)
}

// connectors waits until the running Tarn has taken in what is new in connectors/.
func (a *apply) connectors(ctx context.Context, plan Planned) error {
	for end := time.Now().Add(a.timeout); ; {
		missing := ""
		facts, err := Look(ctx, a.tarn)
		if err != nil {
			return err
		}
		for _, s := range plan {
			if _, there := facts.Connectors[s.Name]; s.Kind == kindConnector && s.Action == Create && !there {
				missing = s.Name
			}
		}
		if missing == "" {
			return nil
		}
		if time.Now().After(end) {
			return fault.Newf(fault.NotFound, "Tarn reads the connectors of its own project folder: start it with --project on this one, or copy the file there", "the running Tarn does not have the connector %s", missing)
		}
		if err := life.Wait(ctx, lookAgain); err != nil {
			return err
		}
	}
}

// caughtUp waits until the pipelines that were created or altered have read what there is.
func (a *apply) caughtUp(ctx context.Context, plan Planned) error {
	most := map[string]int64{}
	for {
		facts, err := Look(ctx, a.tarn)
		if err != nil {
			return err
		}
		waiting := false
		for i := range plan {
			s := &plan[i]
			if s.Kind != kindPipeline || s.Action != Create && s.Action != Alter {
				continue
			}
			p, behind, err := facts.behind(s.Name)
			if err != nil {
				return err
			}
			if behind {
				most[s.Name] = max(most[s.Name], p.Lag)
				a.bar.Set("records: "+s.Name, most[s.Name]-p.Lag, most[s.Name])
				waiting = true
				break
			}
		}
		if !waiting {
			a.bar.Clear()
			return nil
		}
		if err := life.Wait(ctx, lookAgain); err != nil {
			return err
		}
	}
}

// behind tells whether a pipeline, or the one that is to take its place, has records left to read.
func (f Facts) behind(name string) (PipelineFact, bool, error) {
	p, there := f.Pipelines[name]
	if !there {
		return p, false, fault.Newf(fault.NotFound, "see `tarn pipelines`", "pipeline %s is gone", name)
	}
	next, being := f.building(p.ID)
	if being {
		p = next
	}
	switch p.State {
	case "failed":
		return p, false, fault.Newf(fault.Invalid, p.Hint, "pipeline %s has failed: %s", name, p.Error)
	case "paused":
		return p, false, nil
	}
	return p, being || !p.CaughtUp, nil
}
