package project

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
	"tarn/lake/table"
)

// File is a file of sql/ with its statements.
type File struct {
	Path       string // from the project folder on: sql/gold.sql
	Text       string
	Statements []sqltext.Statement
	Err        error // why it cannot be read or cut into statements; then it has none
}

// Files reads the files of a project's sql folder, in order of name; none for no folder.
func Files(dir string) []File {
	paths, err := filepath.Glob(filepath.Join(dir, "sql", "*.sql"))
	if err != nil {
		return nil // only for a malformed pattern, which a folder's name can make
	}
	out := make([]File, len(paths))
	for i, path := range paths {
		out[i].Path = filepath.Join("sql", filepath.Base(path))
		out[i].Text, out[i].Statements, out[i].Err = readFile(path)
	}
	return out
}

// readFile reads a file of statements.
func readFile(path string) (text string, statements []sqltext.Statement, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", nil, err
	}
	if info.Size() > fileBytesMax {
		return "", nil, fault.Newf(fault.TooLarge, "split it", "%s has more than %d bytes", filepath.Base(path), fileBytesMax)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", nil, err
	}
	text = string(content)
	statements, err = sqltext.Split(text)
	return text, statements, err
}

// The kinds of things that statements declare.
const (
	kindConnector = "connector"
	kindSource    = "source"
	kindPipeline  = "pipeline"
	kindView      = "view"
)

// declaration is a statement of a file, understood as far as its head.
type declaration struct {
	file *File
	sqltext.Statement
	kind, name string // what it declares or drops; no kind for any other statement
	bare       string // of a pipeline that must be there: its name without the schema, where it has none
	drop       bool
	withTable  bool
	quiet      bool   // IF NOT EXISTS, IF EXISTS
	replace    bool   // OR REPLACE
	body       string // the SELECT of a view
	bodyAt     int    // where it, or the pipeline's, begins in the statement
	made       sqltext.Continuous
	stream     sqltext.Stream
}

// declared reads the head of a statement. Faults have places in the statement.
func declared(f *File, s sqltext.Statement) (d declaration, err error) {
	d = declaration{file: f, Statement: s}
	words := sqltext.Verbs(s.Text, 5)
	is := func(verbs ...string) bool {
		return len(words) >= len(verbs) && strings.Join(words[:len(verbs)], " ") == strings.Join(verbs, " ")
	}
	switch {
	case is("CREATE", "SOURCE"), is("CREATE", "TABLE"):
		d.stream, err = sqltext.ParseStream(s.Text)
		d.kind, d.name, d.quiet = kindSource, strings.ToLower(d.stream.Name.Name), d.stream.IfNotExists
	case is("CREATE", "MATERIALIZED", "VIEW"), is("CREATE", "PIPELINE"), is("INSERT", "INTO"), is("ALTER", "PIPELINE") && !rebuild(s.Text):
		d.made, err = sqltext.ParseContinuous(s.Text)
		d.kind, d.name, d.quiet, d.bodyAt = kindPipeline, pipelineName(d.made), d.made.IfNotExists, d.made.Offset
		if d.made.Verb == "ALTER PIPELINE" {
			d.bare = bare(d.made.Name)
		}
	case is("CREATE", "VIEW"), is("CREATE", "OR", "REPLACE", "VIEW"):
		err = d.view()
	case is("DROP", "PIPELINE"), is("DROP", "MATERIALIZED", "VIEW"), is("DROP", "SOURCE"):
		var c sqltext.PipelineCommand
		c, err = sqltext.ParsePipelineCommand(s.Text)
		d.kind, d.name, d.bare, d.drop, d.quiet, d.withTable = kindPipeline, full(c.Name), bare(c.Name), true, c.IfExists, c.Kind == "MATERIALIZED VIEW"
		if c.Kind == "SOURCE" {
			d.kind, d.name, d.bare = kindSource, strings.ToLower(c.Name.Name), ""
		}
	case is("DROP", "VIEW"):
		err = d.dropView()
	default:
		err = sqltext.Foreign(s.Text)
	}
	return d, err
}

// rebuild tells ALTER PIPELINE x REBUILD, which has no SELECT.
func rebuild(text string) bool {
	in, err := sqltext.NewReader(text)
	if err != nil || !in.Take("ALTER", "PIPELINE") {
		return false
	}
	_, err = in.Table()
	return err == nil && in.Take("REBUILD")
}

// view reads CREATE [OR REPLACE] VIEW [IF NOT EXISTS] name AS.
func (d *declaration) view() error {
	in, err := sqltext.NewReader(d.Text)
	if err != nil {
		return err
	}
	in.Take("CREATE")
	d.replace = in.Take("OR", "REPLACE")
	in.Take("VIEW")
	d.quiet = in.Take("IF", "NOT", "EXISTS")
	name, err := in.Table()
	if err != nil {
		return err
	}
	d.kind, d.name = kindView, full(name)
	if !in.Take("AS") {
		return in.Fault("AS SELECT …")
	}
	d.body, d.bodyAt = in.Rest(), in.Offset()
	return nil
}

func (d *declaration) dropView() error {
	in, err := sqltext.NewReader(d.Text)
	if err != nil {
		return err
	}
	in.Take("DROP", "VIEW")
	d.drop, d.quiet = true, in.Take("IF", "EXISTS")
	name, err := in.Table()
	d.kind, d.name = kindView, full(name)
	return err
}

// pipelineName is what a pipeline will be called.
func pipelineName(c sqltext.Continuous) string {
	switch {
	case c.Verb == "CREATE PIPELINE" && c.Name.Schema == "":
		return bare(c.Name)
	case c.Verb == "CREATE PIPELINE":
		return strings.ToLower(c.Name.Schema + "." + c.Name.Name)
	}
	return full(c.Name)
}

// full is the name of a table of the lake, gold where no schema is said.
func full(t sqltext.Table) string {
	return cmp.Or(strings.ToLower(t.Schema), "gold") + "." + table.NameOf(t.Name)
}

// bare is a name without a schema; "" where it has one.
func bare(t sqltext.Table) string {
	if t.Schema != "" {
		return ""
	}
	return strings.ToLower(t.Name)
}

// place is where an offset of the statement is in the file.
func (d *declaration) place(offset int) (line, column int) {
	return sqltext.Place(d.file.Text, d.Offset+offset)
}
