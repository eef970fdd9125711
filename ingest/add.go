package ingest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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
	if err := g.may(who, guard.Create, a.config.Name); err != nil {
		return Answer{}, err
	}
	if g.o.Dir != "" && g.unknown(a.config.Name) != nil { // else Create says what is wrong
		a.findings, err = g.judge(ctx, a)
		if err != nil {
			return Answer{}, err
		}
	}
	if err := g.Create(ctx, who, a.config.Name, a.config.Keys, ""); err != nil {
		return Answer{}, a.at(err, "")
	}
	found := a.findings
	answer := Answer{tag: "CREATE CONNECTOR", columns: []record.Column{{Name: "file", Type: record.String}, {Name: "finding", Type: record.String, Nullable: true}}}
	for _, f := range found {
		answer.rows = append(answer.rows, []any{"connectors/" + a.file, strings.TrimSuffix(f.Message+"; "+f.Hint, "; ")})
	}
	if len(found) == 0 {
		answer.rows = [][]any{{"connectors/" + a.file, nil}}
	}
	return answer, nil
}

// judge says what is wrong with the connector, at its place in the statement, where an unknown key is wrong too; or what else is
// to know of it.
func (g *Ingest) judge(ctx context.Context, a *added) ([]source.Finding, error) {
	_, found, err := g.Judge(ctx, a.config.Name, a.config.Keys)
	if err != nil {
		return nil, a.at(err, "connector.class")
	}
	for _, wrong := range []func(source.Finding) bool{
		func(f source.Finding) bool { return f.Unknown }, // it may be what is missing
		func(f source.Finding) bool { return f.Fatal },
	} {
		if at := slices.IndexFunc(found, wrong); at >= 0 {
			return nil, a.at(fault.New(fault.Invalid, found[at].Message, found[at].Hint), found[at].Key)
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
	a := &added{connector: connector{kinds: Kinds()}, statement: statement, nameAt: in.Offset(), keyAt: map[string]int{}}
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

// connectorMode are the rights of a connector's file, which may hold a password.
const connectorMode = 0o600

// writeNew writes a file that is not there yet: it appears whole, and never in the place of another.
func writeNew(path string, text []byte) error {
	dir, name := filepath.Split(path)
	what := "write connector file " + name
	tmp, err := writeBeside(path, text, connectorMode)
	defer func() { _ = os.Remove(tmp) }()
	if err == nil {
		// Not by a rename, which would write over a file that came meanwhile.
		if err = os.Link(tmp, path); err == nil {
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

// writeOver writes a file in the place of another, whose rights it keeps: it is the one or the other after a crash.
func writeOver(path string, text []byte) error {
	const hint = "check the disk and the rights on the project's folder connectors"
	info, err := os.Stat(path)
	if err == nil {
		var tmp string
		if tmp, err = writeBeside(path, text, info.Mode().Perm()); err == nil {
			err = disk.Local.Rename(tmp, path)
		}
		_ = os.Remove(tmp)
	}
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "write connector file "+filepath.Base(path), hint)
	}
	return nil
}

// writeBeside writes a temporary file in the folder of path, and returns its name.
func writeBeside(path string, text []byte, mode fs.FileMode) (string, error) {
	dir, name := filepath.Split(path)
	tmp := filepath.Join(dir, "."+name+".tmp")
	f, err := disk.Local.Create(tmp)
	if err != nil {
		return tmp, err
	}
	err = f.Chmod(mode)
	if err == nil {
		_, err = f.Write(text)
	}
	return tmp, errors.Join(err, f.Close())
}
