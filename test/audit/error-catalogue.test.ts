import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { ERROR_CATALOGUE, REASON_CATALOGUE, REASON_FAMILIES } from '../../src/protocol/error-catalogue.ts'
import { AJWT_ERRORS, ERROR_CODES } from '../../src/protocol/errors.ts'
import { reasonsInCode } from './reasons-in-code.ts'

const { found, unread } = reasonsInCode()
const inCode = new Set(found.map(({ reason }) => reason))

test('every wire code has a title, a cause and a mend (protocol.md section 10)', () => {
  for (const code of [...ERROR_CODES, ...AJWT_ERRORS]) assert.ok(Object.hasOwn(ERROR_CATALOGUE, code), code)
  for (const [code, { title, cause, mend }] of Object.entries(ERROR_CATALOGUE)) {
    assert.match(title, /^[A-Z][^.]{5,80}$/, code)
    assert.match(cause, /^[A-Z].{20,}\.$/, code)
    assert.match(mend, /^[A-Z].{10,}\.$/, code)
  }
})

test('every reason that the code can give has an entry: whoever adds one writes its sentence', () => {
  assert.deepEqual(unread, [], 'a reason that is neither a literal nor handed on')
  assert.ok(inCode.size > 150)
  const missing = found.filter(({ reason }) => !Object.hasOwn(REASON_CATALOGUE, reason))
  assert.deepEqual([...new Set(missing.map(({ reason, file }) => `${reason} (${file})`))].sort(), [])
})

test('no entry speaks of a reason that no code gives, and each stands in one family', () => {
  assert.deepEqual(
    Object.keys(REASON_CATALOGUE).filter(reason => !inCode.has(reason)),
    [],
  )
  const all = REASON_FAMILIES.flatMap(family => Object.keys(family))
  assert.equal(all.length, Object.keys(REASON_CATALOGUE).length)
})

test('an entry is plain English in ASCII: one sentence of the check, and placeholders that can be filled', () => {
  const known = /^\{(?:client_id|agent_id|registration_id|resource|workflow_id|audit_id|caller|jti)\}$/
  for (const [reason, { check, mend, command = '' }] of Object.entries(REASON_CATALOGUE)) {
    for (const text of [check, mend, command]) assert.match(text, /^[\x20-\x7e]*$/, reason)
    assert.match(check, /^[A-Za-z].{10,}\.$/, reason)
    assert.match(mend, /^[A-Z].{10,}\.$/, reason)
    assert.match(command, /^(remit .+)?$/, reason)
    for (const placeholder of command.match(/\{[^}]*\}/g) ?? []) assert.match(placeholder, known, reason)
  }
})

const CLI = new URL('../../src/cli/main.ts', import.meta.url).pathname
const REGISTRY = new URL('../../src/server/registry/', import.meta.url)

/** The command lines of the catalogue and of the explanation. */
function commandLines(): ReadonlySet<string> {
  const explained = readdirSync(REGISTRY)
    .filter(name => name.startsWith('explain'))
    .flatMap(name => readFileSync(new URL(name, REGISTRY), 'utf8').match(/'remit [^']+'/g) ?? [])
    .map(literal => literal.slice(1, -1))
  return new Set([...Object.values(REASON_CATALOGUE).flatMap(({ command }) => command ?? []), ...explained])
}

test('every command that an explanation names is one of this release, with its options', async () => {
  const helps = new Map<string, string>()
  const wrong: string[] = []
  for (const line of commandLines()) {
    const words = line.split(' ').slice(1)
    const end = words.findIndex(word => !/^[a-z][a-z-]*$/.test(word))
    const named = words.slice(0, end === -1 ? words.length : end).join(' ')
    const help = helps.get(named) ?? (await helpOf(named))
    helps.set(named, help)
    const [, path = '', rest = ''] = /^Usage: remit ([a-z -]+?) \[options\](.*)/.exec(help) ?? []
    const isCommand = `${named} `.startsWith(`${path} `) && (path === named || !rest.includes('[command]'))
    const options = words.filter(word => word.startsWith('--'))
    if (path === '' || !isCommand || !options.every(option => help.includes(option))) wrong.push(line)
  }
  assert.ok(helps.size > 10)
  assert.deepEqual(wrong, [])
})

async function helpOf(words: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [CLI, ...words.split(' '), '--help'], {
    timeout: 30_000,
  })
  return stdout
}
