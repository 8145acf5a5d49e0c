import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Command } from 'commander'
import fc from 'fast-check'
import { idsBehindOptions } from '../../src/cli/leading-dash.ts'
import { buildProgram } from '../../src/cli/program.ts'
import { remitJson, workingDirectory } from './remit.ts'

const ofBytes = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map(bytes => Buffer.from(bytes).toString('base64url'))
const anyId = fc.oneof(ofBytes(16), ofBytes(32))
/** Ids are rarely drawn with a dash in front: these all have one, or two. */
const dashedId = fc.tuple(fc.constantFrom('-', '--'), anyId).map(([dash, id]) => `${dash}${id.slice(dash.length)}`)

/** What a command of the program would be called with, without its being run. */
async function heard(words: readonly string[]): Promise<unknown> {
  const program = buildProgram()
  let said: unknown
  const listen = (command: Command): void => {
    command.exitOverride().configureOutput({ writeErr: () => undefined, writeOut: () => undefined })
    if (command.commands.length === 0) {
      command.action(() => {
        said = { args: command.args, options: command.optsWithGlobals() }
      })
    }
    command.commands.forEach(listen)
  }
  listen(program)
  await program.parseAsync(idsBehindOptions(program, ['node', 'remit', ...words]))
  return said
}

test('an id that begins with a dash is an id, wherever it stands among the options', async () => {
  const property = fc.asyncProperty(fc.oneof(dashedId, anyId), fc.nat(1), async (id, json) => {
    const flags = json === 1 ? ['--json'] : []
    const reason = 'Stolen.'
    for (const words of [
      ['revoke', 'token', id, '--reason', reason, ...flags],
      ['revoke', 'token', ...flags, '--reason', reason, id],
      ['revoke', ...flags, 'token', '--reason', reason, '--', id],
    ]) {
      const { json: _json, ...told } = Object(await heard(words))
      assert.deepEqual(told.args, ['token', id])
      assert.equal(told.options.reason, reason)
      assert.equal(told.options.json, json === 1 ? true : undefined)
    }
    assert.deepEqual(Object(await heard(['explain', id])).args, [id])
    assert.deepEqual(Object(await heard(['agent', 'key', 'remove', 'shop', 'buyer', id])).args, ['shop', 'buyer', id])
  })
  await fc.assert(property, { numRuns: 60 })
})

test('the value of an option stays with it, though it begins with a dash', async () => {
  const property = fc.asyncProperty(dashedId, dashedId, async (value, id) => {
    const told = Object(await heard(['revoke', '--reason', value, 'token', id]))
    assert.deepEqual([told.args, told.options.reason], [['token', id], value])
    const delegated = Object(await heard(['delegate', 'token.jwt', '--key', 'a.key', '--to', 'b', '--jkt', value]))
    assert.equal(delegated.options.jkt, value)
  })
  await fc.assert(property, { numRuns: 60 })
})

test('what is no id is refused as an unknown option still, and an option as long as an id is none', async () => {
  await assert.rejects(heard(['revoke', 'token', 'x', '--reason', 'y', '--quick']), { code: 'commander.unknownOption' })
  await assert.rejects(heard(['explain', '-x']), { code: 'commander.unknownOption' })
  const long = `--${'o'.repeat(20)}`
  const program = new Command().option(long)
  assert.deepEqual(idsBehindOptions(program, [long, 'x']), [long, 'x'])
})

test('a name that looks like an id, and has another behind it, is refused as before: their order says what they are', async () => {
  const property = fc.asyncProperty(dashedId, dashedId, async (name, id) => {
    await assert.rejects(heard(['agent', 'suspend', name, 'buyer', '--reason', 'x']), {
      code: 'commander.unknownOption',
    })
    await assert.rejects(heard(['agent', 'suspend', name, id, '--reason', 'x']), { code: 'commander.unknownOption' })
    const told = Object(await heard(['agent', 'suspend', '--reason', 'x', '--', name, id]))
    assert.deepEqual(told.args, [name, id])
  })
  await fc.assert(property, { numRuns: 60 })
})

test('the program reads them so: a revocation in a hurry is not told of an unknown option', async () => {
  const cwd = await workingDirectory()
  const id = `-${'j'.repeat(21)}`
  const { value } = await remitJson(cwd, ['revoke', 'token', id, '--reason', 'Stolen.'])
  assert.equal(value.error, 'no_profile')
})
