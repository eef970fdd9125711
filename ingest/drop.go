package ingest

import (
	"context"

	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/embedded/sqltext"
)

// dropConnector is DROP CONNECTOR name: it ends one for good, with its file. Its topics and tables stay. The answer says what else does.
func (g *Ingest) dropConnector(ctx context.Context, who guard.Principal, statement string) (Answer, error) {
	in, err := sqltext.NewReader(statement)
	if err != nil {
		return Answer{}, err
	}
	in.Take("DROP", "CONNECTOR")
	name, err := g.one(in, who, guard.Drop)
	if err != nil {
		return Answer{}, err
	}
	c, known := g.conn(name)
	if err := g.Delete(ctx, who, name); err != nil {
		return Answer{}, err
	}
	answer := Answer{tag: "DROP CONNECTOR"}
	if !known || c.kind.Leaves == nil {
		return answer, nil
	}
	answer.columns = []record.Column{{Name: "left", Type: record.String}, {Name: "mend", Type: record.String}}
	for _, f := range c.kind.Leaves(c.config) {
		answer.rows = append(answer.rows, []any{f.Message, f.SQL})
	}
	return answer, nil
}
