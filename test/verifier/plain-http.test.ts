import assert from 'node:assert/strict'
import { test } from 'node:test'
import { remoteAgentKeys } from '../../src/verifier/agent-keys.ts'
import { refusalReporter } from '../../src/verifier/refusal-reporter.ts'
import { refusal } from '../protocol/forge.ts'
import { verifier } from './given-call.ts'

const PLAIN = 'http://idp.example.com'
const AT_HOME = 'http://127.0.0.1:1'
const client = { client_id: 'api', client_secret: 'x' }

test('keys and tokens are never asked for over plain http of another machine: thrown at the start (RFC 8414 section 6.1)', () => {
  const starts = [
    (issuer: string) => verifier({ issuer, jwks: undefined }),
    (issuer: string) => remoteAgentKeys(issuer),
    (issuer: string) => refusalReporter({ issuer, client }),
  ]
  for (const start of starts) {
    assert.throws(() => start(PLAIN), refusal('invalid_request', 'issuer_url'))
    start(AT_HOME)
  }
})

test('an API with keys of its own fetches none, whatever its issuer is called', () => {
  verifier({ issuer: PLAIN })
})
