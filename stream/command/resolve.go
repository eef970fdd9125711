//go:build duckdb_arrow

package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/embedded/sqltext"
	"tarn/lake/table"
	"tarn/stream/exec"
	"tarn/stream/landing"
	"tarn/stream/pipeline"
	"tarn/stream/plan"
)

// The defaults of a source.
const (
	idleDefault  = 10 * time.Second
	flushDefault = 10 * time.Second
)

// The namespaces of what pipelines read and write.
const (
	silver = "silver"
	gold   = "gold"
)

// global is the late_policy by which a row is late when the watermark of its whole source has passed.
const global = "global"

// stream is a declared source.
type stream struct {
	pipeline.Stream
	declared sqltext.Stream
}

// names resolves what one statement reads, and remembers what fills it.
type names struct {
	p      *Pipelines
	d      pipeline.Definition   // with no Reads where it is made now
	inputs map[string]exec.Input // by the source's name
}

func (p *Pipelines) names(d pipeline.Definition) *names {
	return &names{p, d, map[string]exec.Input{}}
}

// resolve finds what a name in a FROM means: a source, or a mirror.
func (n *names) resolve(ctx context.Context, t sqltext.Table) (*plan.Source, error) {
	if t.Schema == "" || strings.EqualFold(t.Schema, "source") {
		n.p.mu.Lock()
		s, ok := n.p.streams[strings.ToLower(t.Name)]
		n.p.mu.Unlock()
		if ok {
			return n.stream(s)
		}
	}
	if t.Schema == "" || strings.EqualFold(t.Schema, silver) {
		source, err := n.mirror(ctx, table.Ident{Namespace: silver, Name: strings.ToLower(t.Name)})
		if !errors.Is(err, table.ErrNotFound) {
			return source, err
		}
	}
	if name, ok := n.p.fills(t); ok {
		return nil, fault.Newf(fault.Invalid, "put the SELECT of "+name+" into FROM, in parentheses; or ask both in a query or a CREATE VIEW", "%s is the table of a pipeline, which another pipeline cannot read", t)
	}
	return nil, n.unknown(ctx, t)
}

// fills finds the pipeline that fills the table of a name.
func (p *Pipelines) fills(t sqltext.Table) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.defs {
		if strings.EqualFold(d.Into.Name, t.Name) && (t.Schema == "" || strings.EqualFold(d.Into.Namespace, t.Schema)) {
			return d.Name, true
		}
	}
	return "", false
}

func (n *names) unknown(ctx context.Context, t sqltext.Table) error {
	var known []string
	n.p.mu.Lock()
	for _, s := range n.p.streams {
		known = append(known, s.Name)
	}
	n.p.mu.Unlock()
	mirrors, err := n.p.o.Tables.List(ctx, silver)
	if err != nil {
		return err
	}
	for _, m := range mirrors {
		known = append(known, m.String())
	}
	hint := "a pipeline reads a source (CREATE SOURCE) or a mirror of silver"
	if near := sqltext.Nearest(nameOf(t), known); near != "" {
		hint = "did you mean " + near + "?"
	}
	return fault.Newf(fault.NotFound, hint, "there is no source or mirror %s", t)
}

// stream is a declared source as a plan sees it.
func (n *names) stream(s stream) (*plan.Source, error) {
	d := s.declared
	out := &plan.Source{Name: s.Name, Key: d.Key}
	input := exec.Input{
		Topic: d.Options["topic"].Value, Format: exec.JSON, OnError: d.Options["on_error"].Value, Latest: d.Options["scan.startup.mode"].Value == "latest",
		Log:  d.Options["scan.startup.mode"].Value == "log",
		Idle: span(d.Options, "idle_timeout", idleDefault), Flush: span(d.Options, "flush_timeout", flushDefault), ClockID: s.ID,
		Global: d.Options["late_policy"].Value == global,
	}
	if d.Options["format"].Value == string(exec.Debezium) {
		input.Format = exec.Debezium
	}
	for _, c := range d.Columns {
		t, _, ok := duck.Stored(long(c.Type))
		if !ok {
			return nil, fault.Newf(fault.Invalid, "declare it VARCHAR, and take its JSON text apart in the SELECT", "source %s: no column is of type %s", s.Name, c.Type)
		}
		out.Columns = append(out.Columns, plan.Column{Name: c.Name, Type: t})
	}
	if d.Watermark != nil {
		out.Time, out.Delay = d.Watermark.Column, d.Watermark.Delay
	}
	n.inputs[s.Name] = input
	return out, nil
}

// long is DuckDB's long word for a type.
func long(t string) string {
	if t == "TIMESTAMPTZ" {
		return "TIMESTAMP WITH TIME ZONE"
	}
	return t
}

// span reads a time of WITH (…); off is none.
func span(options map[string]sqltext.Option, name string, otherwise time.Duration) time.Duration {
	o, ok := options[name]
	if !ok {
		return otherwise
	}
	if strings.EqualFold(o.Value, "off") {
		if name == "idle_timeout" {
			return 1 << 62
		}
		return 0
	}
	if d, ok := sqltext.ParseInterval(o.Value); ok {
		return d
	}
	if d, err := time.ParseDuration(o.Value); err == nil {
		return d
	}
	return otherwise
}

// mirror is a keyed table of silver as a plan sees it.
func (n *names) mirror(ctx context.Context, id table.Ident) (*plan.Source, error) {
	t, err := n.p.o.Tables.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	topic, ok := t.Property(table.PropTopic)
	owner, _ := t.Property(table.PropOwner)
	if !ok || owner != landing.Reader {
		return nil, fault.Newf(fault.Invalid, "read the source or the mirror that it is made of", "%s is no mirror: a pipeline fills it", id)
	}
	out := &plan.Source{Name: id.String(), Key: landing.MirrorKey(t)}
	if len(out.Key) == 0 {
		return nil, fault.Newf(fault.Invalid, "change any row of the table in the source, with which it is noted, and say it again",
			"a column of the key of %s may be null, and which ones its key has is not noted there: a version before did not do so", id)
	}
	input := exec.Input{Topic: topic, Format: exec.Debezium, Mirror: id}
	noted := n.noted(id)
	for _, c := range t.Columns() {
		if isOwn(c.Name) || len(noted) > 0 && !slices.Contains(noted, c.Name) && !slices.Contains(out.Key, c.Name) {
			continue
		}
		if plan.Reserved(c.Name) {
			return nil, fault.Newf(fault.Invalid, "rename it in the source", "%s has a column %s, which is one of the names that pipelines use themselves", id, c.Name)
		}
		out.Columns = append(out.Columns, plan.Column{Name: c.Name, Type: c.Type})
	}
	if err := n.gone(out, noted); err != nil {
		return nil, err
	}
	if input.Loose = slices.Contains(out.Key, landing.KeyColumn); input.Loose {
		out.Columns = append(out.Columns, plan.Column{Name: landing.KeyColumn, Type: record.String}) // last, for it is no member of the records
	}
	n.inputs[out.Name] = input
	return out, nil
}

// noted are the columns that the pipeline has read of a mirror since it was made; none where all may be read.
func (n *names) noted(mirror table.Ident) []string {
	for _, r := range n.d.Reads {
		if r.Mirror == mirror {
			return r.Columns
		}
	}
	return nil
}

// gone refuses a mirror that lacks a column which the pipeline reads: landing takes none away, so it is another one than the pipeline
// was made for.
func (n *names) gone(mirror *plan.Source, noted []string) error {
	for _, name := range noted {
		if name != landing.KeyColumn && !slices.ContainsFunc(mirror.Columns, func(c plan.Column) bool { return c.Name == name }) {
			return fault.Newf(fault.Invalid, fmt.Sprintf("say ALTER PIPELINE %s REBUILD, by which its stars mean the columns that there are now, or ALTER PIPELINE %s AS SELECT … with others", n.d.Name, n.d.Name),
				"%s has no column %s any more, which pipeline %s reads", mirror.Name, name, n.d.Name)
		}
	}
	return nil
}

// isOwn tells of the columns that Tarn adds to a mirror.
func isOwn(name string) bool {
	switch name {
	case "_offset", "_generation", "_extra", landing.KeyColumn:
		return true
	}
	return false
}

// job plans a pipeline anew from its statement.
func (p *Pipelines) job(ctx context.Context, d pipeline.Definition) (exec.Job, error) {
	c, err := said(d)
	if err != nil {
		return exec.Job{}, err
	}
	return p.prepare(ctx, c, d)
}

// said is a pipeline's statement; of one that was altered, the new body behind the old head.
func said(d pipeline.Definition) (sqltext.Continuous, error) {
	return sqltext.Said(d.Statement, d.Head)
}

// request is what a statement asks to be planned. In Flink, and so in INSERT and CREATE PIPELINE, windows emit when they
// close; in RisingWave, and so in a materialized view, that has to be said.
func request(c sqltext.Continuous) plan.Request {
	return plan.Request{Body: c.Body, Columns: c.Columns, Key: c.Key, OnClose: c.OnClose || c.Verb == "INSERT" || c.Verb == "CREATE PIPELINE", MustClose: c.OnClose}
}

// prepare plans the statement of a pipeline, which need have no more than that. Faults have places in it.
func (p *Pipelines) prepare(ctx context.Context, c sqltext.Continuous, d pipeline.Definition) (exec.Job, error) {
	n, statement := p.names(d), d.Statement
	made, err := p.plan(ctx, request(c), n.resolve)
	if err != nil {
		return exec.Job{}, sqltext.Shifted(err, statement, c.Offset)
	}
	if o, ok := c.Options["retention"]; ok {
		return exec.Job{}, sqltext.At(fault.New(fault.Invalid, "state is not removed by age yet", "leave retention out, or aggregate over windows, whose state goes when they close"), statement, o.Offset)
	}
	job := exec.Job{Plan: made}
	for _, scan := range made.Scans {
		input := n.inputs[scan.Source.Name]
		if o, ok := c.Options["on_error"]; ok {
			input.OnError = o.Value
		}
		if o, ok := c.Options["late_policy"]; ok {
			input.Global = o.Value == global
		}
		if err := n.columns(ctx, scan, &input); err != nil {
			return exec.Job{}, err
		}
		job.Inputs = append(job.Inputs, input)
	}
	together(&job)
	return job, nil
}

// together has sources that feed windows together decide about their time together, and apart from those who read one of
// them alone: that one is silent means nothing to them.
func together(job *exec.Job) {
	var timed []int
	for i, scan := range job.Plan.Scans {
		if job.Plan.Times && scan.Windows {
			timed = append(timed, i)
		}
	}
	ids := make([]string, len(timed))
	for n, i := range timed {
		ids[n] = job.Inputs[i].ClockID
	}
	slices.Sort(ids)
	for _, i := range timed {
		own := job.Inputs[i].ClockID
		for _, id := range ids {
			if id != own {
				job.Inputs[i].ClockID += "+" + id
			}
		}
	}
}

// columns finds what the records call the columns of a scan.
func (n *names) columns(ctx context.Context, scan *plan.Scan, input *exec.Input) error {
	if input.Mirror.Name == "" {
		for _, c := range scan.Columns {
			input.Names = append(input.Names, c.Name)
		}
		return nil
	}
	t, err := n.p.o.Tables.Open(ctx, input.Mirror)
	if err != nil {
		return err
	}
	for _, c := range scan.Columns {
		for _, column := range t.Columns() {
			if column.Name == c.Name {
				input.Names = append(input.Names, landing.SourceName(column))
			}
		}
	}
	if len(input.Names) != len(scan.Columns) {
		return fmt.Errorf("%s has changed while the statement was planned", input.Mirror)
	}
	return nil
}
