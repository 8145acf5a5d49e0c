import fc from 'fast-check'

/** A good text with a few changes anywhere in it: pieces put in, characters taken out, a part said twice. */
export function edited(text: fc.Arbitrary<string>, pieces: readonly string[], most = 3): fc.Arbitrary<string> {
  const edit = fc.record({
    at: fc.nat(65_535),
    take: fc.constantFrom(0, 0, 1, 1, 2, 8),
    put: fc.oneof(fc.constantFrom('', ...pieces), fc.string({ maxLength: 2, unit: 'binary' })),
    again: fc.constantFrom(0, 0, 0, 1, 4, 16),
  })
  return fc.tuple(text, fc.array(edit, { maxLength: most })).map(([good, edits]) =>
    edits.reduce((now, { at, take, put, again }) => {
      const place = at % (now.length + 1)
      return now.slice(0, place) + put + now.slice(Math.max(0, place - again), place) + now.slice(place + take)
    }, good),
  )
}

/** Bytes that are mostly UTF-8 text, as a string of one character a byte: what JSON can keep. */
export function bytesOf(text: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const bytes = text.map(chars => Buffer.from(chars, 'utf8').toString('latin1'))
  const damaged = edited(bytes, ['\xff', '\xc0\xaf', '\xed\xa0\x80', '\xef\xbb\xbf', '\xf0\x9f'])
  return fc.oneof(
    { arbitrary: bytes, weight: 4 },
    { arbitrary: damaged.map(chars => Buffer.from(chars, 'latin1').toString('latin1')), weight: 1 },
  )
}
