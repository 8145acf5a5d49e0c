import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApp } from '../support/app.ts'
import { signAssertion } from '../support/dpop.ts'
import { accessToken, givenClient } from '../support/given.ts'

const app = await startTestApp()

test('a token revoked again answers 200 and leaves one entry: no second turn at the gate (RFC 7009 section 2.2)', async () => {
  const client = await givenClient(app)
  const token = await accessToken(app, client, { resource: app.issuer, scope: 'read:agents' })
  for (const _ of [1, 2]) {
    const iat = app.clock.seconds()
    const body = new URLSearchParams({
      token,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await signAssertion(client.key, { client_id: client.client_id, issuer: app.issuer, iat }),
    })
    assert.equal((await fetch(`${app.issuer}/oauth/revoke`, { method: 'POST', body })).status, 200)
  }
  const entries = await app.ctx.db.selectFrom('revocation').select('kind').execute()
  assert.deepEqual(entries, [{ kind: 'token' }])
})
