package sqltext

import "strings"

// Continuous is a statement that runs for ever:
//
//	CREATE MATERIALIZED VIEW [IF NOT EXISTS] gold.x [(columns)] [WITH (…)] AS SELECT … [EMIT ON WINDOW CLOSE]
//	INSERT INTO t [(columns)] SELECT … [EMIT ON WINDOW CLOSE]
//	CREATE PIPELINE [IF NOT EXISTS] name INTO t [KEY (a, b)] [WITH (…)] AS SELECT … [EMIT ON WINDOW CLOSE]
//	ALTER PIPELINE x AS SELECT … [EMIT ON WINDOW CLOSE]
type Continuous struct {
	Verb        string // CREATE MATERIALIZED VIEW, INSERT, CREATE PIPELINE, ALTER PIPELINE
	Name        Table  // of the pipeline; of INSERT the table's
	Into        Table  // the table that it fills; of a materialized view and of ALTER its name
	IfNotExists bool
	Columns     []string // names given to the output, empty for those of the body
	Key         []string
	Options     map[string]Option
	OnClose     bool   // EMIT ON WINDOW CLOSE
	Body        string // the SELECT as it was written
	Offset      int    // of Body in the statement
}

// ParseContinuous reads the head of a statement that runs for ever; Query reads its body.
func ParseContinuous(statement string) (Continuous, error) {
	var c Continuous
	in, err := NewReader(statement)
	if err != nil {
		return c, err
	}
	for _, head := range []struct {
		verb  string
		words []string
		read  func(*Reader, *Continuous) error
	}{
		{"CREATE MATERIALIZED VIEW", []string{"CREATE", "MATERIALIZED", "VIEW"}, (*Reader).materialized},
		{"INSERT", []string{"INSERT", "INTO"}, (*Reader).insert},
		{"CREATE PIPELINE", []string{"CREATE", "PIPELINE"}, (*Reader).pipeline},
		{"ALTER PIPELINE", []string{"ALTER", "PIPELINE"}, (*Reader).altered},
	} {
		if !in.Take(head.words...) {
			continue
		}
		c.Verb = head.verb
		if err := head.read(in, &c); err != nil {
			return c, err
		}
		return c, in.body(&c)
	}
	return c, in.otherHead()
}

// otherHead refuses a statement of another kind, and says which one is meant.
func (r *Reader) otherHead() error {
	if err := Foreign(r.text); err != nil {
		return err
	}
	return r.Fault("CREATE MATERIALIZED VIEW, CREATE PIPELINE, ALTER PIPELINE or INSERT INTO")
}

func (r *Reader) materialized(c *Continuous) (err error) {
	c.IfNotExists = r.Take("IF", "NOT", "EXISTS")
	if c.Name, err = r.Table(); err != nil {
		return err
	}
	c.Into = c.Name
	if err := r.columns(c); err != nil {
		return err
	}
	if err := r.options(c); err != nil {
		return err
	}
	return r.as()
}

func (r *Reader) insert(c *Continuous) (err error) {
	if c.Name, err = r.Table(); err != nil {
		return err
	}
	c.Into = c.Name
	// A parenthesis may also begin the SELECT.
	if next := r.at + 1; r.Peek().Is("(") && next < len(r.tokens) && !begins(r.tokens[next]) {
		return r.columns(c)
	}
	return nil
}

func (r *Reader) pipeline(c *Continuous) (err error) {
	c.IfNotExists = r.Take("IF", "NOT", "EXISTS")
	if c.Name, err = r.Table(); err != nil {
		return err
	}
	if !r.Take("INTO") {
		return r.Fault("INTO and the table that it fills")
	}
	if c.Into, err = r.Table(); err != nil {
		return err
	}
	if r.Take("KEY") {
		keys, err := r.parenthesised()
		if err != nil {
			return err
		}
		c.Key = texts(keys)
	}
	if err := r.options(c); err != nil {
		return err
	}
	return r.as()
}

func (r *Reader) altered(c *Continuous) (err error) {
	if c.Name, err = r.Table(); err != nil {
		return err
	}
	c.Into = c.Name
	return r.as()
}

func (r *Reader) as() error {
	if !r.Take("AS") {
		return r.Fault("AS and a SELECT")
	}
	return nil
}

func (r *Reader) columns(c *Continuous) error {
	if !r.Peek().Is("(") {
		return nil
	}
	columns, err := r.parenthesised()
	c.Columns = texts(columns)
	return err
}

func (r *Reader) options(c *Continuous) error {
	options := optionReader{Reader: r, what: "a pipeline", known: pipelineOptions, out: map[string]Option{}}
	c.Options = options.out
	if !r.Take("WITH") {
		return nil
	}
	return options.read()
}

// begins tells whether a token may begin a SELECT.
func begins(t Token) bool {
	return t.Is("SELECT") || t.Is("WITH") || t.Is("FROM") || t.Is("(")
}

// body takes what is left as the SELECT, and EMIT ON WINDOW CLOSE off its end.
func (r *Reader) body(c *Continuous) error {
	switch t := r.Peek(); {
	case t.Is("VALUES"):
		return r.wrong("write a SELECT; rows by hand go to a topic, by POST /ingest/topic, and from there through a pipeline", "a pipeline cannot read VALUES")
	case !begins(t):
		return r.Fault("a SELECT")
	}
	left := r.tokens[r.at:]
	ends := func(words ...string) bool {
		if len(left) <= len(words) {
			return false
		}
		for i, w := range words {
			if !left[len(left)-len(words)+i].Is(w) {
				return false
			}
		}
		return true
	}
	if ends("EMIT", "ON", "WINDOW", "CLOSE") {
		c.OnClose = true
		left = left[:len(left)-4]
	}
	last := left[len(left)-1]
	c.Offset = left[0].Offset
	c.Body = r.text[c.Offset : last.Offset+len(last.Text)]
	return nil
}

// PipelineCommand is PAUSE|RESUME|DROP PIPELINE [IF EXISTS] x, DROP MATERIALIZED VIEW [IF EXISTS] x,
// DROP SOURCE [IF EXISTS] x, SHOW PIPELINES, SHOW SOURCES, DESCRIBE PIPELINE x, DESCRIBE SOURCE x.
type PipelineCommand struct {
	Verb     string // PAUSE, RESUME, DROP, SHOW, DESCRIBE
	Kind     string // PIPELINE, MATERIALIZED VIEW, SOURCE
	Name     Table  // none of SHOW
	IfExists bool
}

// ParsePipelineCommand reads one.
func ParsePipelineCommand(statement string) (PipelineCommand, error) {
	var c PipelineCommand
	in, err := NewReader(statement)
	if err != nil {
		return c, err
	}
	for _, head := range []struct{ words, verb, kind string }{
		{"SHOW PIPELINES", "SHOW", "PIPELINE"},
		{"SHOW SOURCES", "SHOW", "SOURCE"},
		{"PAUSE PIPELINE", "PAUSE", "PIPELINE"},
		{"RESUME PIPELINE", "RESUME", "PIPELINE"},
		{"DROP PIPELINE", "DROP", "PIPELINE"},
		{"DROP MATERIALIZED VIEW", "DROP", "MATERIALIZED VIEW"},
		{"DROP SOURCE", "DROP", "SOURCE"},
		{"DESCRIBE PIPELINE", "DESCRIBE", "PIPELINE"},
		{"DESCRIBE SOURCE", "DESCRIBE", "SOURCE"},
		{"DESC PIPELINE", "DESCRIBE", "PIPELINE"},
		{"DESC SOURCE", "DESCRIBE", "SOURCE"},
	} {
		if !in.Take(strings.Fields(head.words)...) {
			continue
		}
		c.Verb, c.Kind = head.verb, head.kind
		if c.Verb == "SHOW" {
			return c, in.Done()
		}
		c.IfExists = c.Verb == "DROP" && in.Take("IF", "EXISTS")
		if c.Name, err = in.Table(); err != nil {
			return c, err
		}
		return c, in.Done()
	}
	return c, in.Fault("SHOW PIPELINES, SHOW SOURCES, or PAUSE, RESUME, DROP or DESCRIBE PIPELINE name")
}
