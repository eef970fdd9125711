package record

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// The codecs of a batch's attributes (Kafka protocol guide).
const (
	codecNone = iota
	codecGzip
	codecSnappy
	codecLZ4
	codecZstd
)

// inflatedBytesMax bounds what one batch may unpack to, so that a small batch
// cannot fill the memory.
const inflatedBytesMax = 4 * BatchBytesMax

// xerial is the frame that Java's Snappy puts round its blocks.
var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

func decompress(codec uint16, body []byte) ([]byte, error) {
	switch codec {
	case codecNone:
		return body, nil
	case codecGzip:
		r, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		return inflate(r)
	case codecSnappy:
		return unsnappy(body)
	case codecLZ4:
		return inflate(lz4.NewReader(bytes.NewReader(body)))
	case codecZstd:
		r, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(inflatedBytesMax))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		defer r.Close()
		return inflate(r)
	}
	return nil, fmt.Errorf("%w: codec %d", ErrCorrupt, codec)
}

// compress is the other way of decompress.
func compress(codec uint16, body []byte) ([]byte, error) {
	var out bytes.Buffer
	var w io.WriteCloser
	switch codec {
	case codecNone:
		return body, nil
	case codecGzip:
		w = gzip.NewWriter(&out)
	case codecSnappy:
		return s2.EncodeSnappy(nil, body), nil
	case codecLZ4:
		w = lz4.NewWriter(&out)
	case codecZstd:
		z, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		w = z
	default:
		return nil, fmt.Errorf("%w: codec %d", ErrCorrupt, codec)
	}
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	err := w.Close()
	return out.Bytes(), err
}

func inflate(r io.Reader) ([]byte, error) {
	out, err := io.ReadAll(io.LimitReader(r, inflatedBytesMax+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if len(out) > inflatedBytesMax {
		return nil, fmt.Errorf("%w: unpacks to more than %d bytes", ErrCorrupt, inflatedBytesMax)
	}
	return out, nil
}

func unsnappy(body []byte) ([]byte, error) {
	if !bytes.HasPrefix(body, xerial) {
		return unsnappyBlock(nil, body)
	}
	if len(body) < 16 {
		return nil, ErrShort
	}
	var out []byte
	for rest := body[16:]; len(rest) > 0; {
		if len(rest) < 4 {
			return nil, ErrShort
		}
		n := int(binary.BigEndian.Uint32(rest))
		if n > len(rest)-4 {
			return nil, ErrShort
		}
		var err error
		if out, err = unsnappyBlock(out, rest[4:4+n]); err != nil {
			return nil, err
		}
		rest = rest[4+n:]
	}
	return out, nil
}

func unsnappyBlock(out, block []byte) ([]byte, error) {
	n, err := s2.DecodedLen(block)
	if err != nil || len(out)+n > inflatedBytesMax {
		return nil, fmt.Errorf("%w: snappy block of %d bytes", ErrCorrupt, n)
	}
	plain, err := s2.Decode(nil, block)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return append(out, plain...), nil
}
