package ingest

import (
	"context"

	"tarn/embedded/guard"
	"tarn/embedded/sqltext"
)

// dropConnector is DROP CONNECTOR name: it ends one for good, with its file. Its topics and tables stay.
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
	if err := g.Delete(ctx, who, name); err != nil {
		return Answer{}, err
	}
	return Answer{tag: "DROP CONNECTOR"}, nil
}
