import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fillCommand } from '../../src/server/registry/explain-command.ts'

test('an id that looks like an option is a word of the command all the same (attacks.md 118)', () => {
  const filled = [
    ['remit revoke token {jti} --reason TEXT', { jti: 'abc' }, 'remit revoke token abc --reason TEXT'],
    ['remit revoke token {jti} --reason TEXT', { jti: '-abc' }, 'remit revoke token --reason TEXT -- -abc'],
    ['remit revoke token {jti} --reason TEXT', { jti: '--json' }, 'remit revoke token --reason TEXT -- --json'],
    ['remit revoke token {jti}', { jti: '-- ; x' }, "remit revoke token -- '-- ; x'"],
    [
      'remit agent rollback {client_id} {agent_id} --to {registration_id}',
      { client_id: '--url', agent_id: 'a', registration_id: '--r' },
      'remit agent rollback --to --r -- --url a',
    ],
    ['remit client show {client_id}', { client_id: null }, 'remit client show CLIENT_ID'],
  ] as const
  for (const [template, ids, command] of filled) assert.equal(fillCommand(template, ids), command)
})
