import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { complaint } from './complaint.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const FILES = ['README.md', 'CHANGELOG.md', 'SECURITY.md', ...pagesOf('docs')]
/** The ways in which the documents start the command line. */
const STARTED =
  /^(?:docker compose exec \S+ )?(?:npm run (?:-s )?remit --|npx remit|node bin\/remit\.js|remit) (?<words>.+)$/

function pagesOf(folder: string): readonly string[] {
  const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
  return names.filter(name => name.endsWith('.md')).map(name => join(folder, name))
}

/** The command lines of a document: those in blocks of code, and those between backticks. */
function commandLines(markdown: string): readonly string[] {
  const blocks = markdown.match(/^```[\s\S]*?^```$/gm) ?? []
  const spans = markdown.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/`([^`]+)`/g)
  const inBlocks = blocks.flatMap(block => block.replace(/\\\n\s*/g, '').split('\n'))
  return [...inBlocks, ...[...spans].map(([, text = '']) => text)].flatMap(text => {
    const words = STARTED.exec(
      text
        .replace(/\s+/g, ' ')
        .replace(/ # .*$/, '')
        .trim(),
    )?.groups?.words
    return words === undefined ? [] : [`remit ${words}`]
  })
}

test('every command line of the documents is one of this release, with what it takes', async () => {
  const lines = FILES.flatMap(file =>
    commandLines(readFileSync(join(ROOT, file), 'utf8')).map(line => ({ file, line })),
  )
  assert.ok(lines.length > 40, `${lines.length} lines were found`)
  const wrong = await Promise.all(
    lines.map(async ({ file, line }) => {
      const found = await complaint(line)
      return found === undefined ? [] : [`${file}: ${found}`]
    }),
  )
  assert.deepEqual(wrong.flat(), [])
})

test('a line that the release does not take is told from one that it takes', async () => {
  const fine = [
    'remit agent key',
    'remit agent reject CLIENT AGENT --registration ID --checksum HEX --reason "it leaks"',
    'remit agent create agent.yaml … --drain 120',
    'remit shim-release add VERSION CHECKSUM [--minimum]',
  ]
  for (const line of fine) assert.equal(await complaint(line), undefined)
  const wrong = [
    ['remit frobnicate', /unknown command 'frobnicate'/],
    ['remit agent frobnicate', /unknown command 'frobnicate'/],
    ['remit agent resume CLIENT AGENT --checksum HEX', /unknown option '--checksum'/],
    ['remit agent reject CLIENT --reason TEXT', /missing required argument 'agent_id'/],
    ['remit agent approve CLIENT AGENT --registration ID', /required option '--checksum <hex>' not specified/],
    ['remit agent create … --frobnicate', /unknown option '--frobnicate'/],
    ['remit revoke nothing ID --reason TEXT', /Allowed choices are/],
  ] as const
  for (const [line, why] of wrong) assert.match((await complaint(line)) ?? '', why)
})
