package replay

import (
	"context"
	"errors"
	"strconv"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/embedded/sqltext"
	"tarn/stream/pipeline"
)

// Command is REPLAY DEAD LETTER number [AS 'value'].
func (r *Replays) Command() pipeline.Command {
	return pipeline.Command{Verbs: []string{"REPLAY DEAD LETTER"}, Run: r.command}
}

func (r *Replays) command(ctx context.Context, who guard.Principal, statement string) (pipeline.Answer, error) {
	none := pipeline.Answer{}
	in, err := sqltext.NewReader(statement)
	if err != nil {
		return none, err
	}
	in.Take("REPLAY", "DEAD", "LETTER")
	at := in.Offset()
	number, err := strconv.ParseInt(in.Peek().Text, 10, 64)
	if in.Peek().Kind != sqltext.Number || err != nil {
		return none, in.Fault("the number of a letter, which the column letter of system.dead_letter tells")
	}
	in.Next()
	var edited *string
	if in.Take("AS") {
		at = in.Offset()
		if in.Peek().Kind != sqltext.String || in.Peek().Text[0] != '\'' {
			return none, in.Fault("the record as it is to be sent, such as '{\"id\": 1}'")
		}
		edited = new(in.Next().Value())
	}
	if err := in.Done(); err != nil {
		return none, err
	}
	sent, err := r.Send(ctx, who, number, edited)
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return none, sqltext.At(f, statement, at)
	}
	if err != nil {
		return none, err
	}
	var offset any
	if sent.Offset >= 0 {
		offset = sent.Offset
	}
	return pipeline.Answer{Tag: "REPLAY DEAD LETTER", Columns: []record.Column{
		{Name: "letter", Type: record.Long},
		{Name: "topic", Type: record.String},
		{Name: "partition", Type: record.Int},
		{Name: "offset", Type: record.Long, Nullable: true},
		{Name: "repeated", Type: record.Boolean},
	}, Rows: [][]any{{number, sent.Topic, int64(sent.Partition), offset, sent.Repeated}}}, nil
}
