package project

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tarn/embedded/sqltext"
	"tarn/sql/client"
)

// Asker answers statements; client.Client is one.
type Asker interface {
	Records(ctx context.Context, statement string) ([]client.Record, error)
}

// Facts are what a running Tarn has, as far as a project can declare it.
type Facts struct {
	Sources    map[string]string // statements, by name in lower case
	Pipelines  map[string]PipelineFact
	Views      map[string]string // SELECTs, by schema.name
	Tables     map[string]bool   // by schema.name
	Topics     []string
	Connectors map[string]string // states, by name
}

// PipelineFact is a pipeline that is there.
type PipelineFact struct {
	Name, ID, Into, Statement, Head string
	Replaces                        string // the id of the one whose place it takes
	State, Error, Hint              string
	Lag                             int64
	CaughtUp                        bool // it has read nearly all that there is
}

// Look asks a running Tarn.
func Look(ctx context.Context, tarn Asker) (Facts, error) {
	f := Facts{Sources: map[string]string{}, Pipelines: map[string]PipelineFact{}, Views: map[string]string{}, Tables: map[string]bool{}, Connectors: map[string]string{}}
	for _, one := range []struct {
		statement string
		take      func(client.Record)
	}{
		{"SHOW SOURCES", func(r client.Record) { f.Sources[r.Text("name")] = r.Text("statement") }},
		{"SELECT * FROM system.pipelines", func(r client.Record) {
			f.Pipelines[r.Text("name")] = PipelineFact{
				r.Text("name"), r.Text("id"), r.Text("into"), r.Text("statement"), r.Text("head"), r.Text("replaces"),
				r.Text("state"), r.Text("error"), r.Text("hint"), r.Int("lag"), r["caught_up"] == true,
			}
		}},
		{"SELECT table_schema || '.' || table_name AS name, view_definition AS body FROM information_schema.views", func(r client.Record) { f.Views[r.Text("name")] = r.Text("body") }},
		{"SELECT layer || '.' || name AS name FROM system.tables", func(r client.Record) { f.Tables[r.Text("name")] = true }},
		{"SELECT DISTINCT name FROM system.topics ORDER BY name", func(r client.Record) { f.Topics = append(f.Topics, r.Text("name")) }},
		{"SELECT name, state FROM system.sources", func(r client.Record) { f.Connectors[r.Text("name")] = r.Text("state") }},
	} {
		rows, err := tarn.Records(ctx, one.statement)
		if err != nil {
			return f, fmt.Errorf("ask what there is: %w", err)
		}
		for _, r := range rows {
			one.take(r)
		}
	}
	return f, nil
}

// building finds the pipeline that is made to take another one's place.
func (f Facts) building(id string) (PipelineFact, bool) {
	for _, p := range f.Pipelines {
		if p.Replaces == id {
			return p, true
		}
	}
	return PipelineFact{}, false
}

// fills finds the pipeline that fills a table.
func (f Facts) fills(table string) (PipelineFact, bool) {
	for _, p := range f.Pipelines {
		if p.Into == table {
			return p, true
		}
	}
	return PipelineFact{}, false
}

// said is the statement of a pipeline that is there.
func (p PipelineFact) said() (sqltext.Continuous, error) { return sqltext.Said(p.Statement, p.Head) }

// connectorFile is a file of connectors/ as far as a plan needs it; what is wrong with it Tarn tells.
type connectorFile struct{ path, name string }

func connectorFiles(dir string) (out []connectorFile) {
	paths, err := filepath.Glob(filepath.Join(dir, "connectors", "*.json"))
	if err != nil {
		return nil
	}
	for _, path := range paths {
		var c struct{ Name string }
		content, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(content, &c)
		}
		if err != nil || c.Name == "" {
			c.Name = strings.TrimSuffix(filepath.Base(path), ".json")
		}
		out = append(out, connectorFile{filepath.Join("connectors", filepath.Base(path)), c.Name})
	}
	slices.SortFunc(out, func(a, b connectorFile) int { return strings.Compare(a.path, b.path) })
	return out
}
