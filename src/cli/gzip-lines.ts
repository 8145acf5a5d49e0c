import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { CliFailure } from './failure.ts'

/** In characters; an honest row is far below, because its sealed components are 1 MB at most, written as hex. */
const MAX_LINE = 16_000_000

/**
 * The lines of a gzip'd file; opened when the first one is asked for, closed when the reader is done or gives up. A few
 * bytes of gzip can be a line without end: past `maxLine` characters it throws CliFailure.
 */
export async function* gzipLines(path: string, maxLine: number = MAX_LINE): AsyncGenerator<string> {
  const gunzip = createGunzip().setEncoding('utf8')
  const read = pipeline(createReadStream(path), gunzip)
  // The loop below hears of it too.
  read.catch(() => {})
  let line = ''
  for await (const chunk of gunzip) {
    for (const [index, piece] of String(chunk).split('\n').entries()) {
      if (index > 0) {
        yield line
        line = ''
      }
      line += piece
      if (line.length > maxLine) throw damaged(path)
    }
  }
  if (line !== '') yield line
}

function damaged(path: string): CliFailure {
  return new CliFailure('file_unreadable', `The file ${path} is damaged: a line is longer than a row can be.`, {
    next: 'Nothing was restored. Take another backup.',
  })
}
