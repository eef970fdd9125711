// Write fills the topics of a data folder, in which no Tarn runs, or plain files with the
// events of the Nexmark benchmark. It prints key=value.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	nexmark "tarn/.ci/nexmark"
	"tarn/embedded/fault"
)

func main() {
	events := flag.Int("n", 2_000_000, "events: of every 50 one person, three auctions, 46 bids")
	seed := flag.Int64("seed", 42, "the same seed gives the same events")
	data := flag.String("data", "", "the data folder whose topics auction, bid and person are filled")
	land := flag.Bool("land", false, "let Tarn land the topics in bronze, too")
	files := flag.String("files", "", "a folder to be made, with the events as JSON lines")
	flag.Parse()
	if (*data == "") == (*files == "") || flag.NArg() > 0 || *events < 0 {
		_, _ = fmt.Fprintln(os.Stderr, "usage: write [-n N] [-seed N] [-land] -data FOLDER | write [-n N] [-seed N] -files FOLDER")
		os.Exit(2)
	}
	if *files != "" {
		os.Exit(fault.Tell(os.Stderr, nexmark.WriteFiles(*files, *events, *seed), nil))
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx := fault.OnSignals(context.Background(), signals)
	os.Exit(fault.Tell(os.Stderr, fill(ctx, nexmark.Fill{
		Data: *data, Events: *events, Seed: *seed, Land: *land,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}), context.Cause(ctx)))
}

func fill(ctx context.Context, f nexmark.Fill) error {
	began := time.Now()
	filled, err := f.Run(ctx)
	if err != nil {
		return err
	}
	var added int64
	for _, t := range filled {
		_, _ = fmt.Fprintf(os.Stdout, "nexmark_%s_records=%d\nnexmark_%s_mb=%.1f\n", t.Topic, t.Records, t.Topic, float64(t.Bytes)/1e6)
		added += t.Added
	}
	_, _ = fmt.Fprintf(os.Stdout, "nexmark_added=%d\nnexmark_wall_s=%.1f\n", added, time.Since(began).Seconds())
	return nil
}
