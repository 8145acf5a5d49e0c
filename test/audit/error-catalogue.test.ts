import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { ERROR_CATALOGUE, REASON_CATALOGUE, REASON_FAMILIES } from '../../src/protocol/error-catalogue.ts'
import { AJWT_ERRORS, ERROR_CODES } from '../../src/protocol/errors.ts'
import { complaint } from '../cli/complaint.ts'
import { reasonsInCode } from './reasons-in-code.ts'
import { WITHOUT_COMMAND } from './without-command.ts'

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
  const known =
    /^\{(?:client_id|agent_id|registration_id|resource|workflow_id|audit_id|caller|jti|execution_id|approval_id)\}$/
  for (const [reason, { check, mend, command = '' }] of Object.entries(REASON_CATALOGUE)) {
    for (const text of [check, mend, command]) assert.match(text, /^[\x20-\x7e]*$/, reason)
    assert.match(check, /^[A-Za-z].{10,}\.$/, reason)
    assert.match(mend, /^[A-Z].{10,}\.$/, reason)
    assert.match(command, /^(remit .+)?$/, reason)
    for (const placeholder of command.match(/\{[^}]*\}/g) ?? []) assert.match(placeholder, known, reason)
  }
})

test('an entry sends its reader to no page that is not there, and to no section of a design', () => {
  const root = new URL('../../', import.meta.url)
  for (const [name, entry] of Object.entries({ ...REASON_CATALOGUE, ...ERROR_CATALOGUE })) {
    const text = Object.values(entry).join(' ')
    assert.doesNotMatch(text, /protocol\.md|(?<!RFC \d+ )\bsections? \d/, name)
    for (const page of text.match(/\bdocs\/[\w.-]+\w/g) ?? []) assert.ok(existsSync(new URL(page, root)), page)
  }
})

test('a reason names the command that mends it or begins to, or stands among those where none does, with the why', () => {
  const reasons = Object.keys(REASON_CATALOGUE)
  const listed = WITHOUT_COMMAND.flatMap(group => group.reasons)
  const without = reasons.filter(reason => REASON_CATALOGUE[reason]?.command === undefined)
  assert.deepEqual([...listed].sort(), without.sort())
  for (const { why } of WITHOUT_COMMAND) assert.match(why, /^[a-z].{10,}[^.]$/)
})

const REGISTRY = new URL('../../src/server/registry/', import.meta.url)

/** The command lines of both catalogues and of the explanation. */
function commandLines(): ReadonlySet<string> {
  const explained = readdirSync(REGISTRY)
    .filter(name => name.startsWith('explain'))
    .flatMap(name => readFileSync(new URL(name, REGISTRY), 'utf8').match(/'remit [^']+'/g) ?? [])
  const sentences = [...Object.values(ERROR_CATALOGUE), ...Object.values(REASON_CATALOGUE)]
    .flatMap(({ cause, check, mend }: { cause?: string; check?: string; mend: string }) => [cause, check, mend])
    .flatMap(text => text?.match(/[`"]remit [^`"]+[`"]/g) ?? [])
  const commands = Object.values(REASON_CATALOGUE).flatMap(({ command }) => command ?? [])
  return new Set([...commands, ...[...explained, ...sentences].map(quoted => quoted.slice(1, -1))])
}

test('every command that an explanation names is one of this release, with its options', async () => {
  const lines = [...commandLines()]
  assert.ok(lines.length > 20, `${lines.length} lines were found`)
  const wrong = await Promise.all(lines.map(complaint))
  assert.deepEqual(
    wrong.filter(found => found !== undefined),
    [],
  )
})
