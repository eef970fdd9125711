//go:build duckdb_arrow

package command

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/google/uuid"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/meta"
	"tarn/embedded/record"
	"tarn/embedded/sqltext"
	"tarn/lake/table"
	"tarn/stream/exec"
	"tarn/stream/pipeline"
	"tarn/stream/plan"
)

// Commands are the statements of this room.
func (p *Pipelines) Commands() []pipeline.Command {
	return []pipeline.Command{
		{Verbs: []string{"CREATE SOURCE", "CREATE TABLE"}, Run: p.createSource},
		{Verbs: []string{"CREATE MATERIALIZED VIEW", "CREATE PIPELINE", "INSERT INTO"}, Run: p.create},
		{Verbs: []string{"ALTER PIPELINE"}, Run: p.alter},
		{Verbs: []string{"EXPLAIN PIPELINE"}, Run: p.explainPipeline},
		{Verbs: []string{"EXPLAIN CREATE MATERIALIZED VIEW", "EXPLAIN CREATE PIPELINE", "EXPLAIN INSERT INTO"}, Run: p.explain},
		{Verbs: []string{
			"SHOW PIPELINES", "SHOW SOURCES", "PAUSE PIPELINE", "RESUME PIPELINE", "DROP PIPELINE", "DROP MATERIALIZED VIEW", "DROP SOURCE",
			"DESCRIBE PIPELINE", "DESC PIPELINE", "DESCRIBE SOURCE", "DESC SOURCE",
		}, Run: p.command},
		{Verbs: sqltext.ForeignHeads(), Run: func(_ context.Context, _ guard.Principal, statement string) (pipeline.Answer, error) {
			return pipeline.Answer{}, sqltext.Foreign(statement)
		}},
	}
}

func tag(text string) pipeline.Answer { return pipeline.Answer{Tag: text} }

// may asks the guard.
func (p *Pipelines) may(who guard.Principal, a guard.Action, kind guard.Kind, path ...string) error {
	if p.o.Guard.Decide(who, a, guard.Resource{Kind: kind, Path: path}).Allow {
		return nil
	}
	return fault.Newf(fault.Denied, "ask for a grant", "you may not %s the %s %s", a, kind, strings.Join(path, "."))
}

// createSource declares a stream. The same statement again changes nothing, so that a project folder may
// be applied at each start.
func (p *Pipelines) createSource(ctx context.Context, who guard.Principal, statement string) (pipeline.Answer, error) {
	none := pipeline.Answer{}
	declared, err := sqltext.ParseStream(statement)
	if err != nil {
		return none, err
	}
	name := strings.ToLower(declared.Name.Name)
	if declared.Name.Schema != "" && !strings.EqualFold(declared.Name.Schema, "source") {
		return none, sqltext.At(fault.New(fault.Invalid, "a source has no schema", "write its bare name"), statement, declared.Name.Offset)
	}
	if err := p.may(who, guard.Create, guard.Source, name); err != nil {
		return none, err
	}
	p.change.Lock()
	defer p.change.Unlock()
	p.mu.Lock()
	old, exists := p.streams[name]
	count := len(p.streams)
	p.mu.Unlock()
	switch {
	case exists && (declared.IfNotExists || sqltext.Same(old.Statement, statement)):
		return tag("CREATE SOURCE"), nil
	case exists:
		return none, sqltext.At(fault.Newf(fault.Exists, "DROP SOURCE "+name+" first, or give this one another name", "there is a source %s already, declared otherwise", name), statement, declared.Name.Offset)
	case p.meansMirror(name):
		return none, fault.Newf(fault.Exists, "give the source another name", "a pipeline reads the mirror %s.%s by the name %s", silver, name, name)
	case count >= streamsMax:
		return none, fault.Newf(fault.TooLarge, "drop those that are not needed", "there are %d sources already", streamsMax)
	}
	d := pipeline.Stream{ID: uuid.NewString(), Name: name, Statement: statement, Owner: who.User, CreatedAt: p.o.Clock.Now()}
	s := stream{d, declared}
	if err := p.sound(s, statement); err != nil {
		return none, err
	}
	if err := p.topic(declared, statement); err != nil {
		return none, err
	}
	value, err := json.Marshal(d)
	if err != nil {
		return none, err
	}
	if err := p.o.Meta.Put(ctx, meta.Entry{Bucket: meta.Streams, Key: name, Value: value}); err != nil {
		return none, err
	}
	p.mu.Lock()
	p.streams[name] = s
	p.mu.Unlock()
	return tag("CREATE SOURCE"), nil
}

// sound refuses a declaration that no pipeline could read by.
func (p *Pipelines) sound(s stream, statement string) error {
	if _, err := p.names(pipeline.Definition{}).stream(s); err != nil {
		return err
	}
	for _, c := range s.declared.Columns {
		if plan.Reserved(c.Name) {
			return sqltext.At(fault.Newf(fault.Invalid, "a source cannot have it: have whoever writes the topic call it otherwise", "the column name %s is one of Tarn's own", c.Name), statement, c.Offset)
		}
	}
	if len(s.declared.Key) > 0 && s.declared.Options["format"].Value != string(exec.Debezium) {
		return sqltext.At(fault.New(fault.Invalid, "a source of plain JSON has no key: its records are rows, not changes", "leave PRIMARY KEY out, or write format = 'debezium-json'"), statement, s.declared.Name.Offset)
	}
	return p.timeColumn(s, statement)
}

// meant is what a pipeline does, however it was said: two that do the same are equal.
func meant(d pipeline.Definition) string {
	c, err := said(d)
	if err != nil {
		return d.Statement
	}
	return d.Into.String() + c.Meaning()
}

// meansMirror tells whether a pipeline reads a mirror by its bare name, which a source of that name would take.
func (p *Pipelines) meansMirror(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.defs {
		for _, r := range d.Reads {
			if r.Mirror.Name == name {
				return true
			}
		}
	}
	return false
}

// timeColumn refuses a watermark for what is no time.
func (p *Pipelines) timeColumn(s stream, statement string) error {
	w := s.declared.Watermark
	if w == nil {
		return nil
	}
	for _, c := range s.declared.Columns {
		if c.Name == w.Column && strings.HasPrefix(c.Type, "TIMESTAMP") {
			return nil
		}
	}
	return sqltext.At(fault.Newf(fault.Invalid, "declare it TIMESTAMP(3)", "the watermark is for %s, which is no TIMESTAMP", w.Column), statement, w.Offset)
}

// topic refuses a topic that is not there: a slip in its name would wait for ever.
func (p *Pipelines) topic(d sqltext.Stream, statement string) error {
	o := d.Options["topic"]
	if _, err := p.o.Bus.Topic(o.Value); err == nil {
		return nil
	}
	var all []string
	for _, t := range p.o.Bus.Topics() {
		all = append(all, t.Name())
	}
	hint := "a topic is made by a source, or by POST /ingest/" + o.Value + "; see FROM system.topics"
	if near := sqltext.Nearest(o.Value, all); near != "" {
		hint = "did you mean " + near + "?"
	}
	return sqltext.At(fault.Newf(fault.NotFound, hint, "there is no topic %s", o.Value), statement, o.Offset)
}

// create makes a pipeline and starts it. The same statement again changes nothing.
func (p *Pipelines) create(ctx context.Context, who guard.Principal, statement string) (pipeline.Answer, error) {
	none := pipeline.Answer{}
	c, err := sqltext.ParseContinuous(statement)
	if err != nil {
		return none, err
	}
	d := pipeline.Definition{ID: uuid.NewString(), Statement: statement, Owner: who.User, CreatedAt: p.o.Clock.Now()}
	if d.Into, err = target(c.Into, statement); err != nil {
		return none, err
	}
	if d.Name = d.Into.String(); c.Verb == "CREATE PIPELINE" {
		d.Name = strings.ToLower(nameOf(c.Name))
	}
	if err := p.may(who, guard.Create, guard.Pipeline, d.Name); err != nil {
		return none, err
	}
	if err := p.may(who, guard.Write, guard.Table, d.Into.Namespace, d.Into.Name); err != nil {
		return none, err
	}
	p.change.Lock()
	defer p.change.Unlock()
	if done, err := p.there(c, d); err != nil {
		return none, sqltext.At(asFault(err), statement, c.Name.Offset)
	} else if done {
		return tag(c.Verb), nil
	}
	job, err := p.prepare(ctx, c, d)
	if err != nil {
		return none, err
	}
	if err := p.mayRead(who, job); err != nil {
		return none, err
	}
	if err := p.free(ctx, c, d, statement); err != nil {
		return none, err
	}
	d.Reads = readsOf(job)
	p.hold(d)
	if err := p.begin(ctx, d.Name, &d, job, false); err != nil {
		p.unhold(d)
		return none, err
	}
	if err := p.keep(ctx, d); err != nil {
		return none, err
	}
	p.mu.Lock()
	p.start(d)
	p.mu.Unlock()
	return tag(c.Verb), nil
}

// readsOf is what a job reads.
func readsOf(job exec.Job) (out []pipeline.Read) {
	for i, input := range job.Inputs {
		read := pipeline.Read{Topic: input.Topic, Mirror: input.Mirror}
		if read.Mirror.Name != "" {
			for _, c := range job.Plan.Scans[i].Columns {
				read.Columns = append(read.Columns, c.Name)
			}
		}
		out = append(out, read)
	}
	return out
}

// mayRead asks the guard for all that a pipeline reads.
func (p *Pipelines) mayRead(who guard.Principal, job exec.Job) error {
	for _, scan := range job.Plan.Scans {
		if err := p.may(who, guard.Read, guard.Source, scan.Source.Name); err != nil {
			return err
		}
	}
	return nil
}

// target is the table that a statement names.
func target(t sqltext.Table, statement string) (table.Ident, error) {
	id := table.Ident{Namespace: strings.ToLower(t.Schema), Name: table.NameOf(t.Name)}
	if id.Namespace == "" {
		id.Namespace = gold
	}
	if id.Namespace != gold && id.Namespace != silver {
		return id, sqltext.At(fault.Newf(fault.Invalid, "write gold."+id.Name, "a pipeline fills tables of gold and silver, not of %s", id.Namespace), statement, t.Offset)
	}
	return id, nil
}

// there tells whether the very pipeline is there already, and refuses another one of its name or into its
// table.
func (p *Pipelines) there(c sqltext.Continuous, d pipeline.Definition) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, old := range p.defs {
		switch {
		case old.Name == d.Name && (c.IfNotExists || meant(old) == meant(d)):
			return true, nil
		case old.Name == d.Name:
			return false, fault.Newf(fault.Exists, "write ALTER PIPELINE "+d.Name+" AS SELECT …, or DROP PIPELINE "+d.Name+" first, or give this one another name", "there is a pipeline %s already, with another statement", d.Name)
		case old.Into == d.Into:
			return false, fault.Newf(fault.Exists, "fill another table, and read both with UNION ALL", "pipeline %s fills %s already", old.Name, d.Into)
		}
	}
	if len(p.defs) >= pipelinesMax {
		return false, fault.Newf(fault.TooLarge, "drop those that are not needed", "there are %d pipelines already", pipelinesMax)
	}
	return false, nil
}

// free refuses a table that somebody else fills.
func (p *Pipelines) free(ctx context.Context, c sqltext.Continuous, d pipeline.Definition, statement string) error {
	if _, err := p.o.Tables.Open(ctx, d.Into); err == nil {
		return sqltext.At(fault.Newf(fault.Exists, "fill another table, or drop that one", "there is a table %s already", d.Into), statement, c.Into.Offset)
	}
	return nil
}

// explain tells what a statement would do.
func (p *Pipelines) explain(ctx context.Context, _ guard.Principal, statement string) (pipeline.Answer, error) {
	in, err := sqltext.NewReader(statement)
	if err != nil {
		return pipeline.Answer{}, err
	}
	in.Take("EXPLAIN")
	at, rest := in.Offset(), in.Rest()
	a, err := p.explainRest(ctx, rest)
	return a, sqltext.Shifted(err, statement, at)
}

func (p *Pipelines) explainRest(ctx context.Context, statement string) (pipeline.Answer, error) {
	c, err := sqltext.ParseContinuous(statement)
	if err != nil {
		return pipeline.Answer{}, err
	}
	job, err := p.prepare(ctx, c, pipeline.Definition{Statement: statement})
	if err != nil {
		return pipeline.Answer{}, err
	}
	into, err := target(c.Into, statement)
	return explained(job, into), err
}

// explainPipeline tells what a pipeline that is there does.
func (p *Pipelines) explainPipeline(ctx context.Context, _ guard.Principal, statement string) (pipeline.Answer, error) {
	in, err := sqltext.NewReader(statement)
	if err != nil {
		return pipeline.Answer{}, err
	}
	in.Take("EXPLAIN", "PIPELINE")
	name, err := in.Table()
	if err == nil {
		err = in.Done()
	}
	if err != nil {
		return pipeline.Answer{}, err
	}
	d, err := p.find(name)
	if err != nil {
		return pipeline.Answer{}, sqltext.At(asFault(err), statement, name.Offset)
	}
	job, err := p.job(ctx, d)
	return explained(job, d.Into), err
}

// explained has a row for each step of a job, with the steps whose rows it reads.
func explained(job exec.Job, into table.Ident) pipeline.Answer {
	a := pipeline.Answer{Tag: "EXPLAIN", Columns: columns("step string, what string, columns string, reads string")}
	if job.Plan == nil {
		return a
	}
	for i, scan := range job.Plan.Scans {
		input := job.Inputs[i]
		what := "read topic " + input.Topic + " as " + string(input.Format)
		if input.Mirror.Name != "" {
			what = "read " + input.Mirror.String() + ", then topic " + input.Topic + " from its offsets"
		}
		if job.Plan.Times && scan.Windows {
			what += "; watermark " + scan.Source.Time + " - " + scan.Source.Delay.String()
		}
		var names []string
		for _, column := range scan.Columns {
			names = append(names, column.Name+" "+string(column.Type))
		}
		a.Rows = append(a.Rows, []any{scan.Relation, what, strings.Join(names, ", "), nil})
	}
	for _, op := range job.Plan.Operators {
		a.Rows = append(a.Rows, []any{op.Relation(), op.String(), nil, strings.Join(op.Reads(), ", ")})
	}
	how := "append to " + into.String()
	if !job.Plan.Append {
		how = "keep " + into.String() + " by (" + strings.Join(job.Plan.Key, ", ") + ")"
	}
	var names []string
	for _, column := range job.Plan.Columns {
		names = append(names, column.Name+" "+string(column.Type))
	}
	a.Rows = append(a.Rows, []any{"table", how, strings.Join(names, ", "), strings.Join(job.Plan.Reads, ", ")})
	return a
}

// columns reads "name type, name type".
func columns(text string) (out []record.Column) {
	for c := range strings.SplitSeq(text, ", ") {
		name, typ, _ := strings.Cut(c, " ")
		out = append(out, record.Column{Name: name, Type: record.Type(typ), Nullable: true})
	}
	return out
}
