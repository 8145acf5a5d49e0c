import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { gzipLines } from '../../src/cli/gzip-lines.ts'
import { workingDirectory } from './remit.ts'

async function given(...members: readonly Buffer[]): Promise<string> {
  const path = join(await workingDirectory(), 'file.gz')
  await writeFile(path, Buffer.concat(members))
  return path
}

test('lines are what stands between line ends, however they fall into chunks', async () => {
  const long = 'é€𝄞'.repeat(30_000)
  const lines = ['a', '', long, 'b'.repeat(100_000), 'last']
  const text = lines.join('\n')
  assert.deepEqual(await Array.fromAsync(gzipLines(await given(gzipSync(text)))), lines)
  assert.deepEqual(await Array.fromAsync(gzipLines(await given(gzipSync(`${text}\n`)))), lines)
})

test('a line has an end: one that is longer is damage, after the good lines before it', async () => {
  const path = await given(gzipSync(`${'a'.repeat(100)}\n${'b'.repeat(101)}\n`))
  const lines = gzipLines(path, 100)
  assert.deepEqual(await lines.next(), { done: false, value: 'a'.repeat(100) })
  await assert.rejects(lines.next(), { name: 'CliFailure', code: 'file_unreadable' })
})

// Without the limit the line grows until no string may be longer.
test('a line of 1.6 GB in a file of 1.6 MB is refused at once', { timeout: 20_000 }, async () => {
  const member = gzipSync(Buffer.alloc(16_000_000, 'x'))
  const path = await given(...Array.from({ length: 100 }, () => member))
  await assert.rejects(gzipLines(path).next(), { name: 'CliFailure', code: 'file_unreadable' })
})
