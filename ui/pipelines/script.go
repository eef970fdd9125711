package pipelines

import (
	"cmp"
	"errors"
	"strings"
	"unicode/utf16"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// The bounds of a script.
const (
	ScriptBytesMax = 256 << 10
	statementsMax  = 100
	depthMax       = 500 // of brackets in brackets, as of expressions in the engine: parsers recurse
)

// Statement is one statement of a script with what its writer may ask before it runs: nothing is run here.
type Statement struct {
	Text string `json:"text"`
	// From and To are its place in the script, in UTF-16 units as browsers count.
	From int `json:"from"`
	To   int `json:"to"`
	// Verb is what it does in words; "" for one that makes or alters no pipeline.
	Verb     string `json:"verb,omitempty"`
	Pipeline string `json:"pipeline,omitempty"` // the name that the pipeline has then
	Explain  *Asked `json:"explain,omitempty"`  // tells what it would do
	Sample   *Asked `json:"sample,omitempty"`   // shows some rows of its SELECT, as far as it reads tables alone
	// Topic is what a CREATE SOURCE reads.
	Topic string `json:"topic,omitempty"`
	// Fault is why it is not understood, with its place in the script.
	Fault *Fault `json:"fault,omitempty"`
}

// Asked is a statement that asks about another. A place in it, in UTF-16 units, is that place plus Shift in the script.
type Asked struct {
	SQL   string `json:"sql"`
	Shift int    `json:"shift"`
}

// Fault is a refusal with its place in the script; no place where Line is 0.
type Fault struct {
	Code    fault.Code `json:"code"`
	Message string     `json:"message"`
	Hint    string     `json:"hint,omitempty"`
	Line    int        `json:"line,omitempty"`
	Column  int        `json:"column,omitempty"`
}

// Read takes a script apart. Pipelines that it alters are looked up in what there is.
func (s State) Read(script string) ([]Statement, *Fault) {
	list, err := sqltext.Split(script)
	if err != nil {
		return nil, faultOf(err, script, 0)
	}
	if len(list) > statementsMax {
		return nil, &Fault{Code: fault.TooLarge, Message: "there are more than 100 statements", Hint: "put them into files of sql/, which Tarn applies at its start"}
	}
	out := make([]Statement, len(list))
	for i, one := range list {
		out[i] = s.read(script, one)
	}
	return out, nil
}

func (s State) read(script string, one sqltext.Statement) Statement {
	from := units(script[:one.Offset])
	out := Statement{Text: one.Text, From: from, To: from + units(one.Text)}
	if at := deep(one.Text); at >= 0 {
		out.Fault = faultOf(sqltext.At(fault.Newf(fault.TooLarge, "split it, for example by views", "the statement is nested more than %d deep", depthMax), one.Text, at), script, one.Offset)
		return out
	}
	switch head := strings.Join(sqltext.Verbs(one.Text, 2), " "); head {
	case "CREATE SOURCE", "CREATE TABLE":
		out.Verb = "CREATE SOURCE"
		d, err := sqltext.ParseStream(one.Text)
		if err != nil {
			out.Fault = faultOf(err, script, one.Offset)
			return out
		}
		out.Topic = d.Options["topic"].Value
	case "CREATE MATERIALIZED", "CREATE PIPELINE", "INSERT INTO", "ALTER PIPELINE":
		out.continuous(script, one, s)
	}
	return out
}

// deep is where a statement is nested too deeply to be parsed; -1 where it is not.
func deep(text string) int {
	tokens, _ := sqltext.Lex(text) // which Split has read without a fault
	depth := 0
	for _, t := range tokens {
		if t.Kind != sqltext.Symbol {
			continue
		}
		switch t.Text {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			depth--
		}
		if depth > depthMax {
			return t.Offset
		}
	}
	return -1
}

func (s *Statement) continuous(script string, one sqltext.Statement, known State) {
	s.Verb = strings.Join(sqltext.Verbs(one.Text, 2), " ")
	if rebuilt(one.Text) {
		return
	}
	c, err := sqltext.ParseContinuous(one.Text)
	if err != nil {
		s.Fault = faultOf(err, script, one.Offset)
		return
	}
	s.Verb, s.Pipeline = c.Verb, nameOf(c)
	body := units(script[:one.Offset+c.Offset])
	ask := func(before, text, after string, at int) *Asked {
		return &Asked{SQL: before + text + after, Shift: at - units(before)}
	}
	if c.Verb == "ALTER PIPELINE" { // there is no EXPLAIN ALTER: it is told as if it were made now
		s.Explain = ask(known.head(s.Pipeline), one.Text[c.Offset:], "", body)
	} else {
		s.Explain = ask("EXPLAIN ", one.Text, "", s.From)
	}
	s.Sample = ask("SELECT * FROM (", c.Body, "\n) LIMIT 20", body)
}

// head is how the EXPLAIN of an altered pipeline begins: whether its windows wait until they close is as its first statement has it.
func (s State) head(name string) string {
	if p, ok := s.Pipeline(name); ok {
		if c, err := sqltext.ParseContinuous(cmp.Or(p.Head, p.Statement)); err == nil && c.Verb != "CREATE MATERIALIZED VIEW" {
			return "EXPLAIN INSERT INTO altered "
		}
	}
	return "EXPLAIN CREATE MATERIALIZED VIEW altered AS "
}

// rebuilt tells an ALTER PIPELINE x REBUILD, which has no SELECT of its own.
func rebuilt(text string) bool {
	tokens, err := sqltext.Lex(text)
	return err == nil && len(tokens) > 0 && tokens[0].Is("ALTER") && tokens[len(tokens)-1].Is("REBUILD")
}

// nameOf is what the pipeline will be called.
func nameOf(c sqltext.Continuous) string {
	schema := strings.ToLower(c.Name.Schema)
	if schema == "" && (c.Verb == "CREATE MATERIALIZED VIEW" || c.Verb == "INSERT") {
		schema = "gold"
	}
	if schema == "" {
		return strings.ToLower(c.Name.Name)
	}
	return schema + "." + strings.ToLower(c.Name.Name)
}

func faultOf(err error, script string, offset int) *Fault {
	err = sqltext.Shifted(err, script, offset)
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return &Fault{Code: fault.CodeOf(err), Message: err.Error(), Hint: fault.HintOf(err)}
	}
	return &Fault{Code: f.Code, Message: f.Error(), Hint: f.Hint, Line: f.Line, Column: f.Column}
}

// units counts UTF-16 units.
func units(text string) int {
	n := 0
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}

// Altered is the statement that a person begins with who wants to alter a pipeline: it does what it does now.
func Altered(name, statement string) string {
	c, err := sqltext.ParseContinuous(statement)
	if err != nil {
		return ""
	}
	return "ALTER PIPELINE " + sqltext.Dotted(name) + " AS\n" + strings.TrimSpace(statement[c.Offset:])
}
