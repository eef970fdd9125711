//go:build duckdb_arrow

package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/meta"
	"tarn/embedded/sqltext"
	"tarn/lake/table"
	"tarn/stream/exec"
	"tarn/stream/pipeline"
)

// command runs SHOW, DESCRIBE, PAUSE, RESUME and DROP.
func (p *Pipelines) command(ctx context.Context, who guard.Principal, statement string) (pipeline.Answer, error) {
	c, err := sqltext.ParsePipelineCommand(statement)
	if err != nil {
		return pipeline.Answer{}, err
	}
	name := strings.TrimSpace(c.Verb + " " + c.Kind)
	switch {
	case c.Verb == "SHOW" && c.Kind == "PIPELINE":
		return pipeline.Answer{Tag: "SHOW PIPELINES", Columns: columns(shownColumns), Rows: p.shown()}, nil
	case c.Verb == "SHOW":
		return p.showSources(), nil
	case c.Kind == "SOURCE":
		return p.source(ctx, who, c, name)
	}
	p.change.Lock()
	defer p.change.Unlock()
	d, err := p.find(c.Name)
	if fault.CodeOf(err) == fault.NotFound && c.IfExists {
		return tag(name), nil
	}
	if err != nil {
		return pipeline.Answer{}, sqltext.At(asFault(err), statement, c.Name.Offset)
	}
	if c.Verb == "DESCRIBE" {
		return p.describe(d), nil
	}
	action := guard.Alter
	if c.Verb == "DROP" {
		action = guard.Drop
	}
	if err := p.may(who, action, guard.Pipeline, d.Name); err != nil {
		return pipeline.Answer{}, err
	}
	switch c.Verb {
	case "PAUSE", "RESUME":
		return tag(name), p.pause(ctx, d, c.Verb == "PAUSE")
	}
	return tag(name), p.drop(ctx, d, c.Kind == "MATERIALIZED VIEW")
}

func asFault(err error) *fault.Error {
	f := fault.New(fault.CodeOf(err), err.Error(), fault.HintOf(err))
	return f
}

// pause stops a pipeline for a while, or lets it go on.
func (p *Pipelines) pause(ctx context.Context, d pipeline.Definition, paused bool) error {
	if d.Paused == paused {
		return nil // one that a failed change has stopped is started again by itself
	}
	d.Paused = paused
	if err := p.keep(ctx, d); err != nil {
		return err
	}
	if paused {
		p.stop(d.ID)
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.start(d)
	return nil
}

// drop ends a pipeline for good; with its table, which else stays and belongs to nobody.
func (p *Pipelines) drop(ctx context.Context, d pipeline.Definition, withTable bool) error {
	if next, ok := p.building(d.ID); ok {
		if err := p.drop(ctx, next, true); err != nil {
			return err
		}
	}
	p.stop(d.ID)
	if err := p.release(ctx, d, withTable || d.Replaces != ""); err != nil {
		p.mu.Lock()
		p.start(d)
		p.mu.Unlock()
		return err
	}
	if err := p.forget(ctx, d); err != nil {
		return err
	}
	p.unhold(d)
	return nil
}

// source describes or drops a source.
func (p *Pipelines) source(ctx context.Context, who guard.Principal, c sqltext.PipelineCommand, name string) (pipeline.Answer, error) {
	key := strings.ToLower(c.Name.Name)
	p.mu.Lock()
	s, ok := p.streams[key]
	p.mu.Unlock()
	if !ok {
		if c.IfExists {
			return tag(name), nil
		}
		return pipeline.Answer{}, fault.Newf(fault.NotFound, "see SHOW SOURCES", "there is no source %s", c.Name)
	}
	if c.Verb == "DESCRIBE" {
		a := pipeline.Answer{Tag: name, Columns: columns("column string, type string, watermark string")}
		for _, column := range s.declared.Columns {
			var mark any
			if w := s.declared.Watermark; w != nil && w.Column == column.Name {
				mark = column.Name + " - " + w.Delay.String()
			}
			a.Rows = append(a.Rows, []any{column.Name, column.Type, mark})
		}
		return a, nil
	}
	if err := p.may(who, guard.Drop, guard.Source, key); err != nil {
		return pipeline.Answer{}, err
	}
	p.change.Lock()
	defer p.change.Unlock()
	if by := p.readers(key); len(by) > 0 {
		return pipeline.Answer{}, fault.Newf(fault.Invalid, "drop them first", "source %s is read by %s", key, strings.Join(by, ", "))
	}
	if err := p.o.Meta.Put(ctx, meta.Entry{Bucket: meta.Streams, Key: key}); err != nil {
		return pipeline.Answer{}, err
	}
	p.mu.Lock()
	delete(p.streams, key)
	p.mu.Unlock()
	return tag(name), nil
}

// readers are the pipelines whose statements name a source.
func (p *Pipelines) readers(source string) (out []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.defs {
		c, err := sqltext.ParseContinuous(d.Statement)
		if err != nil {
			continue
		}
		tokens, err := sqltext.Lex(c.Body)
		if err == nil && slices.ContainsFunc(tokens, func(t sqltext.Token) bool { return strings.EqualFold(t.Name(), source) }) {
			out = append(out, d.Name)
		}
	}
	slices.Sort(out)
	return out
}

// shownColumns are those of SHOW PIPELINES.
const shownColumns = "name string, into string, state string, rows long, emitted long, lag long, watermark timestamptz, late long, dead long, error string, hint string"

func (p *Pipelines) shown() (rows [][]any) {
	for _, s := range p.Statuses() {
		rows = append(rows, []any{s.Name, s.Into.String(), s.State, s.Rows, s.Emitted, s.LagRecords, instant(s.Watermark), s.Late, s.Dead, text(s.Error), text(s.Hint)})
	}
	return rows
}

func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func instant(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

// StatusColumns are the columns of system.pipelines.
const StatusColumns = "name string, id string, into string, reads string, state string, owner string, rows long, emitted long, lag long, watermark timestamptz, holder string, " +
	"late long, dead long, ahead long, ticks long, epoch long, state_rows long, tick_ms double, committed_at timestamptz, created_at timestamptz, error string, hint string, statement string, head string, replaces string, caught_up boolean"

// StatusRows are the rows of system.pipelines.
func (p *Pipelines) StatusRows(context.Context) (rows [][]any, _ error) {
	for _, s := range p.Statuses() {
		rows = append(rows, []any{
			s.Name, s.ID, s.Into.String(), text(reads(s.Definition)), s.State, s.Owner, s.Rows, s.Emitted, s.LagRecords, instant(s.Watermark), text(s.Holder),
			s.Late, s.Dead, s.Ahead, s.Ticks, s.Epoch, counted(s.StateRows), float64(s.TickTime.Microseconds()) / 1000, instant(s.CommittedAt), instant(s.CreatedAt),
			text(s.Error), text(s.Hint), s.Statement, text(s.Head), text(s.Replaces), s.Caught,
		})
	}
	return rows, nil
}

// reads are the names of what a pipeline reads.
func reads(d pipeline.Definition) string {
	var names []string
	for _, r := range d.Reads {
		if !slices.Contains(names, r.From()) {
			names = append(names, r.From())
		}
	}
	return strings.Join(names, ", ")
}

func counted(n *int64) any {
	if n == nil {
		return nil
	}
	return *n
}

func (p *Pipelines) showSources() pipeline.Answer {
	a := pipeline.Answer{Tag: "SHOW SOURCES", Columns: columns("name string, topic string, format string, watermark string, on_error string, late_policy string, read_by string, statement string")}
	p.mu.Lock()
	streams := slices.Collect(maps.Values(p.streams))
	p.mu.Unlock()
	slices.SortFunc(streams, func(x, y stream) int { return strings.Compare(x.Name, y.Name) })
	for _, s := range streams {
		var mark any
		if w := s.declared.Watermark; w != nil {
			mark = w.Column + " - " + w.Delay.String()
		}
		option := func(name, otherwise string) string { return cmp.Or(s.declared.Options[name].Value, otherwise) }
		a.Rows = append(a.Rows, []any{
			s.Name, option("topic", ""), option("format", string(exec.JSON)), mark, option("on_error", "dead_letter"), option("late_policy", "partition"),
			text(strings.Join(p.readers(s.Name), ", ")), s.Statement,
		})
	}
	return a
}

// describe tells of one pipeline, a line for each thing.
func (p *Pipelines) describe(d pipeline.Definition) pipeline.Answer {
	a := pipeline.Answer{Tag: "DESCRIBE PIPELINE", Columns: columns("property string, value string")}
	rows, _ := p.StatusRows(context.Background())
	for _, row := range rows {
		if row[1] != d.ID {
			continue
		}
		for i, c := range columns(StatusColumns) {
			a.Rows = append(a.Rows, []any{c.Name, printed(row[i])})
		}
	}
	return a
}

func printed(v any) any {
	switch v := v.(type) {
	case nil, string:
		return v
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprint(v)
}

// release gives a pipeline's table up.
func (p *Pipelines) release(ctx context.Context, d pipeline.Definition, withTable bool) error {
	t, err := p.o.Tables.Open(ctx, d.Into)
	if errors.Is(err, table.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if owner, _ := t.Property(table.PropOwner); owner != d.ID {
		return nil
	}
	if withTable {
		return p.o.Tables.Drop(ctx, d.Into, d.ID)
	}
	_, err = t.Commit(ctx, table.Change{Owner: d.ID, Properties: map[string]string{table.PropOwner: ""}})
	return err
}
