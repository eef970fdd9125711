package view

import (
	"context"

	"tarn/ui/words"
)

// say is a text in the reader's language; package words says how.
func say(ctx context.Context, key string, values ...any) string {
	return words.Say(key, values...).In(words.From(ctx))
}

// many is one of two texts, by a number.
func many[N int | int64](ctx context.Context, n N, one, several string, values ...any) string {
	return words.Many(n, one, several, values...).In(words.From(ctx))
}

// in is a text that somebody else chose, in the reader's language.
func in(ctx context.Context, t words.Text) string { return t.In(words.From(ctx)) }
