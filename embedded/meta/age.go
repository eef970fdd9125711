package meta

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tarn/embedded/life"
)

// Age is for how long Tarn has run, over restarts: what is stamped by it grows old in Tarns that run for a short time each, and no
// clock that somebody sets makes it so. Time between two runs counts where the machine was up all the while.
// A crash makes it fall back to the last Save, and what was stamped meanwhile younger than it is.
type Age struct {
	store  *Store
	key    string
	steady life.Steady
	before time.Duration // as it was when this Tarn began
}

// OpenAge goes on with the age that was saved under a key.
func OpenAge(ctx context.Context, m *Store, key string, steady life.Steady) (*Age, error) {
	a := &Age{store: m, key: key, steady: steady}
	value, err := m.Get(ctx, Ages, key)
	if errors.Is(err, ErrNotFound) {
		return a, nil
	}
	if err != nil {
		return nil, err
	}
	text, mark, _ := strings.Cut(string(value), " ")
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("age of %s in meta.db: %w", key, err)
	}
	a.before = time.Duration(ms) * time.Millisecond
	if since, _, ok := steady.Age(mark, steady.Mark()); ok {
		a.before += since
	}
	return a, nil
}

// Now is the age.
func (a *Age) Now() time.Duration { return a.before + a.steady.Elapsed() }

// Old tells whether what is kept for some time, and was stamped at a time and an age, is over it: by both.
func (a *Age) Old(at time.Time, age, kept time.Duration) bool {
	return a.Now()-age >= kept && a.steady.Now().Sub(at) >= kept
}

// Save syncs the age.
func (a *Age) Save(ctx context.Context) error {
	value := strconv.FormatInt(a.Now().Milliseconds(), 10) + " " + a.steady.Mark()
	return a.store.Put(ctx, Entry{Bucket: Ages, Key: a.key, Value: []byte(value)})
}
