import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OAuthError } from '../../src/protocol/errors.ts'
import { OAUTH_GRANTS, parseTokenRequest } from '../../src/protocol/token-request.ts'
import { WORKFLOW_STEP_TYPE } from '../../src/protocol/workflow-request.ts'

test('authorization_details that client_credentials cannot keep are refused, not ignored (RFC 9396 section 5)', () => {
  const details = [{ type: WORKFLOW_STEP_TYPE, workflow_id: 'w', workflow_step: 's' }]
  const body = { grant_type: 'client_credentials', scope: 'read', authorization_details: details }
  assert.throws(
    () => parseTokenRequest(body, OAUTH_GRANTS),
    error => error instanceof OAuthError && error.code === 'invalid_authorization_details',
  )
})
