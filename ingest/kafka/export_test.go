package kafka

import (
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"tarn/embedded/record"
)

// WithDrain sets how long a stop waits for what is on its way.
func (o *Options) WithDrain(d time.Duration) { o.drain = d }

// WriteFetched writes an answer to a fetch, whose records are batches.
func WriteFetched(resp *kmsg.FetchResponse, records [][]record.Batch, to net.Conn) error {
	p := pieces{}
	(&fetched{FetchResponse: resp, records: records}).appendTo(&p)
	_, err := p.writeTo(to)
	return err
}
