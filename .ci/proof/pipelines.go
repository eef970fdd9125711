package proof

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// pipelinesMax is how many mirrors of a scene have a pipeline over them.
const pipelinesMax = 2

// grouped is the SELECT of the pipeline over a mirror, and the batch answer that its table must equal.
func grouped(t *Table) string {
	return fmt.Sprintf("SELECT tok %% 17 AS k, count(*) AS n, sum(tok)::BIGINT AS s, max(tok) AS m FROM silver.%s GROUP BY tok %% 17", t.Name)
}

// piped are the tables whose mirrors have a pipeline: not those whose key may be null, which a
// text's may be in SQLite.
func piped(tables []*Table) (out []*Table) {
	for _, t := range tables {
		if t.Keyed() && !t.Mess && t.Columns[t.keys()[0]].Affinity() == AffinityOf("INTEGER") && len(out) < pipelinesMax {
			out = append(out, t)
		}
	}
	return out
}

// writePipelines puts the pipelines into a project folder.
func writePipelines(project string, tables []*Table) error {
	var text strings.Builder
	for _, t := range piped(tables) {
		_, _ = fmt.Fprintf(&text, "CREATE MATERIALIZED VIEW %s_grouped AS %s;\n", t.Name, grouped(t))
	}
	folder := filepath.Join(project, "sql")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "pipelines.sql"), []byte(text.String()), 0o600)
}

// checkPipelines holds each pipeline's table against its SELECT over the mirror as it is. What differs may
// only be behind, so it is called lost.
func (s *Scene) checkPipelines(ctx context.Context, p *Process) (found []string, err error) {
	for _, t := range piped(s.Tables) {
		got := fmt.Sprintf("SELECT k, n, s, m FROM gold.%s_grouped", t.Name)
		n, err := p.Numbers(ctx, fmt.Sprintf("SELECT (SELECT count(*) FROM ((%s) EXCEPT ALL (%s))), (SELECT count(*) FROM ((%s) EXCEPT ALL (%s)))", grouped(t), got, got, grouped(t)))
		if err != nil {
			return nil, err
		}
		if n[0] != 0 || n[1] != 0 {
			found = append(found, fmt.Sprintf("gold.%s_grouped: %d rows lost, %d that are not in the answer and may be lost yet", t.Name, n[0], n[1]))
		}
	}
	return found, nil
}
