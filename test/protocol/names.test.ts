import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  agentIdSchema,
  agentSubject,
  clientIdSchema,
  parseSubjectName,
  stepIdSchema,
  subjectNameSchema,
  userSubject,
  workflowIdSchema,
} from '../../src/protocol/names.ts'
import { refusal } from './forge.ts'

const clientId = fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/).filter(id => clientIdSchema.safeParse(id).success)
const agentId = fc.stringMatching(/^[A-Za-z0-9-]{1,128}$/)
const sub = fc.stringMatching(/^[\x21-\x7e]{1,255}$/)

test('[attack 123] subject names of agents, users and clients never collide (protocol.md section 1)', () => {
  fc.assert(
    fc.property(clientId, agentId, clientId, sub, clientId, (client_id, agent_id, issuer, user, bare) => {
      assert.deepEqual(parseSubjectName(agentSubject(client_id, agent_id)), { kind: 'agent', client_id, agent_id })
      assert.deepEqual(parseSubjectName(userSubject(issuer, user)), { kind: 'user', issuer, sub: user })
      assert.deepEqual(parseSubjectName(bare), { kind: 'client', client_id: bare })
    }),
  )
})

test('[attack 123] an agent named like a user, or one sub at two issuers, are different subjects', () => {
  const names = [
    agentSubject('app', 'usr-42'),
    agentSubject('user', 'usr-42'),
    userSubject('corp', 'usr-42'),
    userSubject('other', 'usr-42'),
    userSubject('agent', 'app:usr-42'),
    userSubject('corp', 'x:usr-42'),
    userSubject('app', 'agent:app:usr-42'),
    'usr-42',
    'user',
    'agent',
  ]
  assert.equal(new Set(names).size, names.length)
  for (const name of names) assert.ok(subjectNameSchema.safeParse(name).success, name)
})

test('parts that could make another name are refused', () => {
  for (const make of [
    () => agentSubject('a:b', 'c'),
    () => agentSubject('a', 'b:c'),
    () => agentSubject('', 'b'),
    () => userSubject('a:b', 'c'),
    () => userSubject('corp', ''),
    () => userSubject('corp', 'a b'),
    () => userSubject('corp', 'a\n'),
    () => userSubject('corp', 'é'),
    () => userSubject('corp', 'a'.repeat(256)),
  ]) {
    assert.throws(make, refusal('invalid_request', 'subject_name'))
  }
})

test('what is no subject name is refused as an owner', () => {
  const wrong = [
    '',
    ':',
    'user:',
    'user:corp',
    'user:corp:',
    'user::a',
    'agent:a',
    'agent:a:',
    'agent:a:b:c',
    'other:a:b',
    'User:a:b',
  ]
  for (const name of [...wrong, 'a b', 'user:corp:a b', 'a'.repeat(65), `user:corp:${'a'.repeat(256)}`]) {
    assert.equal(subjectNameSchema.safeParse(name).success, false, name)
  }
})

test('[attack 67] ids have no pipe and nothing that a path, a header or a log line reads otherwise', () => {
  assert.ok(stepIdSchema.safeParse('step_4_apply:patch.v1-a').success)
  assert.ok(clientIdSchema.safeParse('patcher-app').success)
  assert.ok(agentIdSchema.safeParse('vulnerability-patcher-v1').success)
  const wrong = [
    '',
    'a|b',
    'a b',
    'a/b',
    'a\\b',
    'a\nb',
    'a\n',
    'a"b',
    "a'b",
    'a\0',
    'é',
    '\u0430',
    'a\u200b',
    '.',
    '..',
    '__proto__',
  ]
  for (const schema of [clientIdSchema, agentIdSchema, workflowIdSchema, stepIdSchema]) {
    for (const id of [...wrong, 'a'.repeat(129), 1, null, ['a']]) assert.equal(schema.safeParse(id).success, false)
  }
  for (const id of ['a_b', 'a.b', 'a:b']) assert.equal(agentIdSchema.safeParse(id).success, false)
  assert.equal(clientIdSchema.safeParse('a:b').success, false)
  assert.equal(clientIdSchema.safeParse('a'.repeat(65)).success, false)
})
