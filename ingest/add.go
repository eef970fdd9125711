package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"tarn/embedded/disk"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/embedded/sqltext"
	"tarn/ingest/source"
)

// nameRunesMax bounds the name of a connector that a statement makes.
const nameRunesMax = 100

// added is CREATE CONNECTOR, read: a connector, and where its pieces are in the statement.
type added struct {
	connector
	statement string
	nameAt    int
	keyAt     map[string]int // where its value is
}

// create is CREATE CONNECTOR name WITH ('key' = 'value', …): it writes the connector's file, which is looked at at once.
func (g *Ingest) create(ctx context.Context, who guard.Principal, statement string) (Answer, error) {
	a, err := readCreate(statement)
	if err != nil {
		return Answer{}, err
	}
	name := a.config.Name
	if g.o.Guard != nil && !g.o.Guard.Decide(who, guard.Create, guard.Resource{Kind: guard.Source, Path: []string{name}}).Allow {
		return Answer{}, fault.Newf(fault.Denied, "ask for a grant", "you may not create the source %s", name)
	}
	if g.o.Dir == "" {
		return Answer{}, fault.New(fault.Invalid, "this Tarn has no project folder, where the files of connectors are", "make one with a tarn.yaml, and start tarn up --project FOLDER")
	}
	g.adding.Lock()
	defer g.adding.Unlock()
	if files, err := connectorFiles(g.o.Dir); err == nil && len(files) >= connectorsMax {
		return Answer{}, a.at(fault.Newf(fault.TooLarge, "remove some, or run several Tarns", "there are %d connectors already", len(files)), "")
	}
	if g.unknown(name) == nil {
		return Answer{}, a.at(fault.Newf(fault.Exists, "give it another name", "there is a connector %s already", name), "")
	}
	a.config.Folder = g.project()
	found, err := a.judge(ctx)
	if err != nil {
		return Answer{}, err
	}
	text, err := json.MarshalIndent(document{name, anyOf(a.config.Keys)}, "", "  ")
	if err != nil {
		return Answer{}, err
	}
	if len(text) >= connectorBytesMax {
		return Answer{}, a.at(fault.Newf(fault.TooLarge, "shorten its keys", "the file of connector %s would have more than %d bytes", name, connectorBytesMax), "")
	}
	if err := writeNew(filepath.Join(g.o.Dir, a.file), append(text, '\n')); err != nil {
		return Answer{}, a.at(err, "")
	}
	if err := g.ask(ctx, ask{look: true}); err != nil {
		return Answer{}, fault.Wrap(err, fault.Unavailable, "start connector "+name, "its file is written; it starts when the connectors run again")
	}
	answer := Answer{tag: "CREATE CONNECTOR", columns: []record.Column{{Name: "file", Type: record.String}, {Name: "finding", Type: record.String, Nullable: true}}}
	for _, f := range found {
		answer.rows = append(answer.rows, []any{"connectors/" + a.file, strings.TrimSuffix(f.Message+"; "+f.Hint, "; ")})
	}
	if len(found) == 0 {
		answer.rows = [][]any{{"connectors/" + a.file, nil}}
	}
	return answer, nil
}

// judge says what is wrong with the connector, at its place in the statement, or what else is to know of it.
func (a *added) judge(ctx context.Context) ([]source.Finding, error) {
	if err := a.settle(); err != nil {
		return nil, a.at(err, "connector.class")
	}
	for _, f := range a.findings {
		return nil, a.at(fault.New(fault.Invalid, f.Message, f.Hint), f.Key)
	}
	for _, f := range a.kind.Fields {
		if f.Required && a.config.Keys[f.Key] == "" {
			return nil, a.at(fault.New(fault.Invalid, f.Key+" is missing", "say '"+f.Key+"' = '…'"), f.Key)
		}
	}
	found := a.kind.Check(ctx, a.config)
	for _, f := range found {
		if f.Fatal {
			return nil, a.at(fault.New(fault.Invalid, f.Message, f.Hint), f.Key)
		}
	}
	return found, nil
}

// at puts a fault at the value of a key, or else at the name.
func (a *added) at(err error, key string) error {
	f := fault.New(fault.CodeOf(err), err.Error(), fault.HintOf(err))
	if at, ok := a.keyAt[key]; ok {
		return sqltext.At(f, a.statement, at)
	}
	return sqltext.At(f, a.statement, a.nameAt)
}

func readCreate(statement string) (*added, error) {
	in, err := sqltext.NewReader(statement)
	if err != nil {
		return nil, err
	}
	_ = in.Take("CREATE") || in.Take("CHECK")
	in.Take("CONNECTOR")
	a := &added{statement: statement, nameAt: in.Offset(), keyAt: map[string]int{}}
	parts, err := in.Name()
	if err != nil {
		return nil, err
	}
	a.config = source.Config{Name: strings.Join(parts, "."), Keys: map[string]string{}}
	control := strings.ContainsFunc(a.config.Name, unicode.IsControl)
	if control || strings.Contains(a.config.Name, "/") || strings.TrimSpace(a.config.Name) == "" || utf8.RuneCountInString(a.config.Name) > nameRunesMax {
		return nil, a.at(fault.Newf(fault.Invalid, fmt.Sprintf("use %d characters at most, without a slash", nameRunesMax), "the name is %q", a.config.Name), "")
	}
	a.file = fileOf(a.config.Name)
	if !in.Take("WITH", "(") {
		return nil, in.Fault("WITH ('connector.class' = '…', …)")
	}
	list, err := readPairs(in, statement, "connector.class")
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		a.config.Keys[p.key], a.keyAt[p.key] = p.value, p.valueAt
	}
	return a, in.Done()
}

// fileOf is the name of the file of a connector: its own, but for what not every file system takes.
func fileOf(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '_'
	}, name) + ".json"
}

func anyOf(keys map[string]string) map[string]any {
	out := make(map[string]any, len(keys))
	for k, v := range keys {
		out[k] = v
	}
	return out
}

// writeNew writes a file that is not there yet: it appears whole, and never in the place of another.
func writeNew(path string, text []byte) error {
	dir, name := filepath.Split(path)
	what := "write connector file " + name
	f, err := disk.Local.Create(filepath.Join(dir, "."+name+".tmp"))
	if err != nil {
		return fault.Wrap(err, fault.Invalid, what, "check the rights on the project's folder connectors")
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		// Not by a rename, which would write over a file that came meanwhile.
		if err = os.Link(f.Name(), path); err == nil {
			err = disk.Local.SyncDir(dir)
		}
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return fault.Newf(fault.Exists, "give the connector another name, or change that file", "there is a file %s in the folder connectors already", name)
	case err != nil:
		return fault.Wrap(err, fault.Unavailable, what, "check the disk and the rights on the project's folder connectors")
	}
	return nil
}
