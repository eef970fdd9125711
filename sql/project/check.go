//go:build duckdb_arrow

package project

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"tarn/embedded/config"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// Rooms are what a check asks of the rooms that read what this one does not.
type Rooms struct {
	// Connectors looks at the files of a connectors folder.
	Connectors func(ctx context.Context, dir string) []Finding
	// Connector looks at one file, whose relative paths start at a project folder.
	Connector func(ctx context.Context, path, project string) []Finding
	// Rehearse has an error or nil for each statement, as far as that can be told without a lake; NotFound where it cannot.
	Rehearse func(ctx context.Context, statements []string) []error
}

// Checked is what a check has seen.
type Checked struct {
	Findings   []Finding `json:"findings"`
	Online     bool      `json:"online"` // a running Tarn was asked
	Files      int       `json:"files"`  // of sql/
	Statements int       `json:"statements"`
	Connectors int       `json:"connectors"`
	Unchecked  int       `json:"unchecked"` // statements of which the names could not be looked up
}

// Check looks at a project folder; with a running Tarn, whose facts are then given, also at what its statements
// name. It changes nothing.
func Check(ctx context.Context, dir string, rooms Rooms, tarn Asker, facts Facts) (Checked, error) {
	c := &checker{dir: dir, tarn: tarn, facts: facts}
	c.seen.Findings, c.seen.Online = []Finding{}, tarn != nil
	c.settings()
	c.seen.Connectors = len(connectorFiles(dir))
	c.seen.Findings = append(c.seen.Findings, rooms.Connectors(ctx, filepath.Join(dir, "connectors"))...)
	files := Files(dir)
	c.seen.Files = len(files)
	c.read(files)
	if err := c.bodies(ctx, rooms.Rehearse); err != nil {
		return c.seen, err
	}
	if tarn != nil {
		c.online(ctx, Plan(dir, files, facts, nil))
	}
	for _, d := range c.all {
		if c.unknown[d] {
			c.seen.Unchecked++
		}
	}
	return c.seen, ctx.Err()
}

type checker struct {
	dir   string
	tarn  Asker
	facts Facts
	seen  Checked

	all     []*declaration
	wrong   map[*declaration]bool
	unknown map[*declaration]bool
}

func (c *checker) settings() {
	for _, err := range config.Check(c.dir) {
		f := Finding{Level: levelError, File: config.File, Message: err.Error(), Hint: fault.HintOf(err)}
		if e, ok := asFault(err); ok {
			f.Line = e.Line
		}
		f.Message = strings.TrimPrefix(f.Message, fmt.Sprintf("%s:%d: ", filepath.Join(c.dir, config.File), f.Line))
		c.seen.Findings = append(c.seen.Findings, f)
	}
}

// read reads the heads of all statements.
func (c *checker) read(files []File) {
	c.wrong, c.unknown = map[*declaration]bool{}, map[*declaration]bool{}
	for i := range files {
		f := &files[i]
		if f.Err != nil {
			c.found(levelError, f.Path, f.Err)
		}
		for _, one := range f.Statements {
			c.seen.Statements++
			d, err := declared(f, one)
			c.all = append(c.all, &d)
			c.refuse(&d, err, 0)
		}
	}
}

// found notes an error whose place, where it has one, is in a file.
func (c *checker) found(level, file string, err error) {
	f := Finding{Level: level, File: file, Message: err.Error(), Hint: fault.HintOf(err)}
	if e, ok := asFault(err); ok {
		f.Line, f.Column, f.Message = e.Line, e.Column, e.Error()
	}
	c.seen.Findings = append(c.seen.Findings, f)
}

// refuse notes what is wrong with a statement, once. The place of err is behind an offset in it; where it has
// none, it is the statement's.
func (c *checker) refuse(d *declaration, err error, offset int) {
	if err == nil || c.wrong[d] {
		return
	}
	c.wrong[d] = true
	c.found(levelError, d.file.Path, c.within(d, err, offset))
}

func (c *checker) within(d *declaration, err error, offset int) error {
	err = sqltext.Shifted(err, d.file.Text, d.Offset+offset)
	f, ok := asFault(err)
	if !ok {
		f = fault.New(fault.CodeOf(err), err.Error(), fault.HintOf(err))
	}
	if f.Line == 0 {
		told := *f
		return sqltext.At(&told, d.file.Text, d.Offset)
	}
	return f
}

// bodies looks at what the statements compute, with the sources that the project itself declares.
func (c *checker) bodies(ctx context.Context, rehearse func(context.Context, []string) []error) (err error) {
	texts := make([]string, len(c.all))
	for i, d := range c.all {
		if !c.wrong[d] {
			texts[i] = d.Text
		}
	}
	for i, err := range rehearse(ctx, texts) {
		d := c.all[i]
		if fault.CodeOf(err) != fault.NotFound {
			c.refuse(d, err, 0)
			continue
		}
		c.unknown[d] = true
		if c.tarn == nil && strings.HasPrefix(fault.HintOf(err), "did you mean") {
			c.found(levelWarning, d.file.Path, c.within(d, err, 0))
		}
	}
	if !slices.ContainsFunc(c.all, func(d *declaration) bool { return d.kind == kindView && !d.drop }) {
		return nil
	}
	parser, err := sqltext.NewParser(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parser.Close()) }()
	for _, d := range c.all {
		if d.kind == kindView && !d.drop && !c.wrong[d] {
			c.refuse(d, parser.Check(ctx, d.body), d.bodyAt)
			c.unknown[d] = true
		}
	}
	return nil
}

// online asks a running Tarn what it would make of the statements.
func (c *checker) online(ctx context.Context, plan Planned) {
	at := map[string]*declaration{} // by place of the statement
	for _, d := range c.all {
		line, column := d.place(0)
		at[place(d.file.Path, line, column)] = d
	}
	coming := c.coming()
	for i := range plan {
		s := &plan[i]
		if s.from == nil {
			continue
		}
		line, column := s.from.place(0)
		d := at[place(s.from.file.Path, line, column)]
		if d == nil || c.wrong[d] {
			continue
		}
		if s.Action == Refuse {
			c.wrong[d] = true
			c.seen.Findings = append(c.seen.Findings, Finding{Level: levelError, File: s.File, Line: s.Line, Column: s.Column, Message: s.Error, Hint: s.Hint})
			continue
		}
		if d.kind == kindSource && s.Action == Create {
			c.topic(d)
		}
		c.explain(ctx, s, d, coming)
	}
}

// explain has a statement explained.
func (c *checker) explain(ctx context.Context, s *Step, d *declaration, coming []string) {
	head, part, at := "EXPLAIN ", d.Text, 0
	switch {
	case d.drop:
		return
	case d.kind == kindView:
		part, at = d.body, d.bodyAt
	case d.kind == kindPipeline && s.Action == Alter:
		if head = "EXPLAIN INSERT INTO altered "; d.made.Verb == "CREATE MATERIALIZED VIEW" {
			head = "EXPLAIN CREATE MATERIALIZED VIEW altered AS "
		}
		part, at = d.Text[d.bodyAt:], d.bodyAt
	case d.kind != kindPipeline || s.Action != Create:
		delete(c.unknown, d)
		return
	}
	_, err := c.tarn.Records(ctx, head+part)
	if ctx.Err() != nil {
		return
	}
	if fault.CodeOf(err) == fault.NotFound && mentions(part, coming) {
		return // it comes with the project, and was looked at as far as it can be
	}
	delete(c.unknown, d)
	if f, ok := asFault(err); ok && f.Line > 0 {
		told := *f
		if told.Line == 1 {
			told.Column = max(1, told.Column-len([]rune(head)))
		}
		err = &told
	}
	c.refuse(d, err, at)
}

// topic warns of a topic that is not there: it may come, or its name has a slip.
func (c *checker) topic(d *declaration) {
	o := d.stream.Options["topic"]
	if slices.Contains(c.facts.Topics, o.Value) {
		return
	}
	hint := "it comes with a connector, or with the first POST /ingest/" + o.Value
	if near := sqltext.Nearest(o.Value, c.facts.Topics); near != "" {
		hint = "did you mean " + near + "?"
	}
	err := sqltext.At(fault.Newf(fault.NotFound, hint, "there is no topic %s yet", o.Value), d.Text, o.Offset)
	c.found(levelWarning, d.file.Path, c.within(d, err, 0))
}

// coming are the names of what the project declares and the Tarn does not have.
func (c *checker) coming() (out []string) {
	for _, d := range c.all {
		name := d.name
		if d.kind == kindPipeline {
			name = full(d.made.Into)
		}
		_, source := c.facts.Sources[name]
		_, view := c.facts.Views[name]
		if d.kind != "" && !d.drop && !source && !view && !c.facts.Tables[name] {
			out = append(out, name[strings.LastIndexByte(name, '.')+1:])
		}
	}
	return out
}

// mentions tells whether a statement has one of some names.
func mentions(text string, names []string) bool {
	tokens, err := sqltext.Lex(text)
	return err == nil && slices.ContainsFunc(tokens, func(t sqltext.Token) bool {
		return slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(t.Name(), name) })
	})
}
