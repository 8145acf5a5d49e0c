import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { countsOf, givenTenJobs, jtiOf, type Owner } from './ten-jobs.ts'

const EXPECTED = countsOf('Commands')

/** The ten jobs of docs/administration.md by command line, each in as many commands as its table says. */
describe('the ten jobs by command line', async () => {
  const given = await givenTenJobs()
  const { by, done, minted, refused, active, versions, register, text } = given
  let commands = 0

  /** One command of the job that is being done, as a person gives it and reads it. */
  async function command(owner: Owner, ...args: readonly string[]): Promise<string> {
    commands += 1
    const { code, stdout, stderr } = await text(owner, ...args)
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}`)
    return `${stdout}${stderr}`
  }
  /** Does a job, and holds the number of its commands against the page. */
  async function job(number: number, fn: () => Promise<void>): Promise<void> {
    commands = 0
    await fn()
    assert.equal(commands, EXPECTED[number - 1], `commands of job ${number}`)
  }

  test('job 1: approve a new version, having seen what it changes (docs/administration.md)', async () => {
    await register('greeter', 'two')
    assert.equal((await refused('greeter', 'two')).error, 'agent_checksum_mismatch')
    await job(1, async () => {
      assert.match(await command('ben', 'agent', 'list', '--pending'), /remit agent show shop greeter/)
      const shown = await command('ben', 'agent', 'show', 'shop', 'greeter')
      const [, id = ''] = /remit agent version shop greeter (\S+)/.exec(shown) ?? []
      const version = await command('ben', 'agent', 'version', 'shop', 'greeter', id)
      assert.match(version, /^│ - Say hello\.\n│ \+ Say hello, and who you are\.$/m)
      const [, line = ''] = /remit (agent approve .*)/.exec(version) ?? []
      await command('ben', ...line.split(' '))
    })
    assert.deepEqual(await versions('greeter'), ['2 active', '1 retired'])
    await minted('greeter', 'two')
  })

  test('job 2: turn a version down; the answer and the list call it rejected', async () => {
    const { registration_id, checksum } = await register('greeter', 'three')
    const named = ['--registration', registration_id, '--checksum', checksum]
    await job(2, async () => {
      const said = await command('ben', 'agent', 'reject', 'shop', 'greeter', ...named, '--reason', 'It says nothing.')
      assert.match(said, /^status +rejected$/m)
    })
    assert.deepEqual(await versions('greeter'), ['3 rejected', '2 active', '1 retired'])
    assert.equal((await refused('greeter', 'three')).error, 'agent_checksum_mismatch')
  })

  test('job 3: roll back; the content that is left drains, and what waited is replaced and said to be', async () => {
    await register('greeter', 'four')
    await job(3, async () => {
      const said = await command('ben', 'agent', 'rollback', 'shop', 'greeter', '--drain', '600')
      assert.match(said, /Version 4 waited for approval: it is replaced and never counts\./)
    })
    const [newest, ...older] = await versions('greeter')
    assert.equal(newest, '5 active, rolled back')
    assert.match(older.join(), /^4 replaced,3 rejected,2 draining until .*,1 retired$/)
    await minted('greeter', 'one')
    await minted('greeter', 'two')
    assert.equal((await refused('greeter', 'four')).error, 'agent_checksum_mismatch')
  })

  test('job 4: a new secret without an outage: the old one and the new one both work (section 2)', async () => {
    await job(4, async () => {
      await command('ben', 'client', 'rotate-secret', 'shop', '--overlap', '3600', '--secret-file', 'new-secret')
    })
    assert.notEqual(await given.read('new-secret'), await given.read('secret'))
    await minted('clerk', 'one')
    await minted('clerk', 'one', ['--secret-file', 'new-secret'])
    await given.write('wrong-secret', 'x'.repeat(44))
    assert.equal((await refused('clerk', 'one', ['--secret-file', 'wrong-secret'])).error, 'invalid_client')
  })

  test('job 5: stop an agent now, by the owner of its client: no mint, and its token is inactive (section 9)', async () => {
    const token = await minted('greeter', 'one')
    assert.equal(await active(token), true)
    await job(5, async () => {
      const said = await command('anna', 'agent', 'suspend', 'shop', 'greeter', '--reason', 'Wrong addressees.')
      assert.match(said, /An API that does not introspect takes them until they expire\./)
    })
    assert.equal(await active(token), false)
    await refused('greeter', 'one')
  })

  test('job 6: another owner lets it go on, and only another one (section 11)', async () => {
    const own = await text('anna', 'agent', 'resume', 'shop', 'greeter')
    assert.equal(own.code, 1)
    assert.match(own.stderr, /Somebody else must resume it/)
    await refused('greeter', 'one')
    await job(6, async () => {
      await command('eve', 'agent', 'resume', 'shop', 'greeter')
    })
    assert.equal(await active(await minted('greeter', 'one')), true)
  })

  test('job 7: a stolen key of an agent is worthless, and the agent goes on with another (section 9)', async () => {
    const token = await minted('greeter', 'one')
    await job(7, async () => {
      const shown = await command('ben', 'agent', 'show', 'shop', 'greeter')
      const [, jkt = ''] = /^([\w-]{43}) +registered/m.exec(shown) ?? []
      assert.match(await command('ben', 'revoke', 'key', jkt, '--reason', 'Stolen.'), /^Revoked key /)
    })
    assert.equal(await active(token), false)
    await refused('greeter', 'one')
    await done('keygen', 'greeter-new.key')
    await by('ben', 'agent', 'key', 'add', 'shop', 'greeter', '--key', 'greeter-new.key')
    assert.equal(await active(await minted('greeter', 'one', [], 'greeter-new.key')), true)
    await refused('greeter', 'one')
  })

  test('job 8: who let it happen: from a token to who registered and who approved, and the trail of it', async () => {
    const jti = jtiOf(await minted('clerk', 'one'))
    await job(8, async () => {
      const said = await command('eve', 'explain', jti)
      assert.match(said, /^agent_id +clerk$/m)
      assert.match(said, /^bound to key \(jkt\) +[\w-]{43}$/m)
      assert.match(said, /^version registered +\S+ by shop for user:local:anna$/m)
      assert.match(said, /^version approved +\S+ by \S+ for user:local:ben$/m)
      const acts = await command('eve', 'audit', 'search', '--client', 'shop', '--agent', 'clerk')
      assert.match(acts, /agent\.approve/)
    })
    const [row] = await by(
      'eve',
      'audit',
      'search',
      '--client',
      'shop',
      '--agent',
      'clerk',
      '--action',
      'agent.approve',
    )
    assert.deepEqual([row.outcome, row.details.acting_owner], ['success', 'user:local:ben'])
  })

  test('job 9: why a request was refused, and the command that mends it does', async () => {
    await by('anna', 'agent', 'suspend', 'shop', 'clerk', '--reason', 'A try.')
    const { request_id } = await refused('clerk', 'one')
    let mend = ''
    await job(9, async () => {
      const said = await command('eve', 'explain', request_id)
      assert.match(said, /^outcome +refused: /m)
      mend = /^command +remit (.*)$/m.exec(said)?.[1] ?? ''
    })
    assert.equal(mend, 'agent resume shop clerk')
    await by('eve', ...mend.split(' '))
    await minted('clerk', 'one')
  })

  test('job 10: a workflow that loosens something counts once another owner approved it (section 5)', async () => {
    const step = ['--workflow', 'patch', '--step', 'apply']
    assert.equal((await given.loosen()).status, 'pending')
    await refused('scanner', 'one', step)
    await job(10, async () => {
      assert.match(await command('ben', 'workflow', 'list', '--pending'), /shop {2,}patch/)
      const shown = await command('ben', 'workflow', 'show', 'shop', 'patch')
      assert.match(
        shown,
        /Steps of version 1 \(active\)\n1 {2}check {2}a person decides {2}\(required, approval gate\)\n/,
      )
      assert.match(shown, /Steps of version 2 \(pending\)\n1 {2}apply {2}scanner\n/)
      const [, line = ''] = /remit (workflow approve \S+ \S+ --version \d+)/.exec(shown) ?? []
      await command('ben', ...line.split(' '))
    })
    await minted('scanner', 'one', step)
  })
})
