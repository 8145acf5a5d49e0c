import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkNodeVersion } from '../../src/protocol/node-version.ts'

test('both ends say it where Node is older than 22.18, instead of what it lacks', () => {
  for (const version of ['22.18.0', '22.19.1', '23.0.0', '26.10.0']) checkNodeVersion(version)
  for (const version of ['20.20.2', '22.17.9', '18.0.0']) {
    assert.throws(() => checkNodeVersion(version), new RegExp(`22\\.18 or newer, and this is ${version}`))
  }
})
