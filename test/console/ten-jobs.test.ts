import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { countsOf, givenTenJobs, jtiOf, type Owner } from '../cli/ten-jobs.ts'
import { type Hand, handOn } from './hand.ts'
import { launchChromium, needsChromium, watchedPage } from './support.ts'
import { become, CLEAN, clean, open, settled, shows, texts } from './walk.ts'

const EXPECTED = countsOf('Actions')

/** The ten jobs of docs/administration.md in the console, each in as many actions as its table says. */
describe('the ten jobs in the console', { skip: needsChromium.skip }, async () => {
  const given = await givenTenJobs()
  const { by, done, minted, refused, active, versions, register } = given
  const browser = await launchChromium()

  /** One owner signed in in a browser of their own, by the link of `remit console`. */
  async function signedIn(owner: Owner) {
    const watched = await watchedPage(await browser.createBrowserContext(), given.admin_url)
    await watched.page.goto((await by(owner, 'console')).url)
    await settled(watched.page)
    return { watched, hand: handOn(watched.page) }
  }
  const owners = { anna: await signedIn('anna'), ben: await signedIn('ben'), eve: await signedIn('eve') }

  /** Does a job from the first page, as it is now, and holds the number of its actions against the page. */
  async function job(number: number, owner: Owner, fn: (hand: Hand) => Promise<void>): Promise<void> {
    const { watched, hand } = owners[owner]
    await open(watched.page, '#/revocations')
    await open(watched.page, '#/agents')
    hand.count()
    await fn(hand)
    assert.equal(hand.count(), EXPECTED[number - 1], `actions of job ${number}`)
    assert.deepEqual(clean(watched), CLEAN)
  }

  test('job 1: approve a new version, having seen what it changes', needsChromium, async () => {
    const { checksum } = await register('greeter', 'two')
    assert.equal((await refused('greeter', 'two')).error, 'agent_checksum_mismatch')
    await job(1, 'ben', async ({ page, link, press, confirm }) => {
      assert.deepEqual(
        (await texts(page, 'tbody tr:first-child a')).slice(0, 1),
        ['greeter'],
        'what waits stands first',
      )
      await link('greeter')
      await become(page, '.diff ins .text', ['Say hello, and who you are.'])
      await press('Approve')
      await shows(
        page,
        `Version 2 of shop/greeter counts at once. Its checksum is ${checksum}. Version 1 stops minting.`,
      )
      assert.doesNotMatch((await texts(page, '#act-effect')).join(), /proposes/)
      await confirm('Approve')
      await shows(page, 'Version 2 is approved and counts now.')
    })
    assert.deepEqual(await versions('greeter'), ['2 active', '1 retired'])
    await minted('greeter', 'two')
  })

  test('job 2: turn a version down', needsChromium, async () => {
    await register('greeter', 'three')
    await job(2, 'ben', async ({ page, link, press, fill, confirm }) => {
      await link('greeter')
      await press('Reject')
      await fill('Reason', 'It says nothing.')
      await confirm('Reject')
      await shows(page, 'Version 3 is rejected.')
    })
    assert.deepEqual(await versions('greeter'), ['3 rejected', '2 active', '1 retired'])
    assert.equal((await refused('greeter', 'three')).error, 'agent_checksum_mismatch')
  })

  test('job 3: roll back; the page leads to the version that it made', needsChromium, async () => {
    await register('greeter', 'four')
    await job(3, 'ben', async ({ page, link, click, press, fill, confirm }) => {
      await link('greeter')
      await click('.versions li:last-child a')
      await press('Roll back to this version')
      await shows(page, 'Version 4, which waits for approval, is replaced and never counts.')
      await fill('3600 at most', '600')
      await confirm('Roll back')
      await shows(page, 'The content of version 1 counts again, as version 5 (active).')
      await shows(page, 'to the content of version 1, which user:local:anna answers for')
      assert.deepEqual(await texts(page, '.rest > .title h2'), ['Version 5'])
      assert.equal((await texts(page, 'button')).includes('Roll back to this version'), false)
      assert.deepEqual(await texts(page, '.diff ins .text'), ['Say hello.'], 'compared with what counted before')
    })
    const [newest, ...older] = await versions('greeter')
    assert.equal(newest, '5 active, rolled back')
    assert.match(older.join(), /^4 replaced,3 rejected,2 draining until .*,1 retired$/)
    await minted('greeter', 'one')
    await minted('greeter', 'two')
  })

  test('job 4: a new secret without an outage: the old one and the new one both work', needsChromium, async () => {
    await job(4, 'ben', async ({ page, room, link, press, fill, confirm }) => {
      await room('Clients')
      await link('shop')
      await press('Rotate secret')
      await fill('Seconds', '3600')
      await confirm('Rotate')
      await page.waitForSelector('.secret')
      // A browser without a window may have no clipboard to read.
      await page.evaluate('navigator.clipboard.writeText = async text => { window.copied = text }')
      await press('Copy')
      await given.write('new-secret', String(await page.evaluate('window.copied')))
      await press('Close')
    })
    assert.notEqual(await given.read('new-secret'), await given.read('secret'))
    await minted('clerk', 'one')
    await minted('clerk', 'one', ['--secret-file', 'new-secret'])
    await given.write('wrong-secret', 'x'.repeat(44))
    assert.equal((await refused('clerk', 'one', ['--secret-file', 'wrong-secret'])).error, 'invalid_client')
  })

  test('job 5: stop an agent now, by the owner of its client', needsChromium, async () => {
    const token = await minted('greeter', 'one')
    assert.equal(await active(token), true)
    await job(5, 'anna', async ({ page, link, press, fill, confirm }) => {
      await link('greeter')
      await press('Suspend')
      await shows(page, 'an API that does not introspect takes them until they expire')
      await fill('Reason', 'Wrong addressees.')
      await confirm('Suspend')
      await shows(page, 'greeter is suspended')
      await shows(page, 'for another owner, who neither suspended it nor owns its client')
    })
    assert.equal(await active(token), false)
    await refused('greeter', 'one')
  })

  test('job 6: another owner lets it go on', needsChromium, async () => {
    await job(6, 'eve', async ({ page, link, press, confirm }) => {
      await link('greeter')
      await page.waitForSelector('main .acts button')
      assert.equal((await texts(page, '.needs')).length, 0, 'it is for Eve')
      await press('Resume')
      await confirm('Resume')
      await shows(page, 'greeter is active again.')
    })
    assert.equal(await active(await minted('greeter', 'one')), true)
  })

  test('job 7: a stolen key of an agent is worthless, and the agent goes on with another', needsChromium, async () => {
    const token = await minted('greeter', 'one')
    await job(7, 'ben', async ({ page, link, press, fill, confirm }) => {
      await link('greeter')
      await page.waitForSelector('.keys .id')
      const [jkt = ''] = await texts(page, '.keys .id')
      assert.match(jkt, /^[\w-]{43}$/, 'the whole thumbprint')
      await press(`Revoke key ${jkt}`)
      await fill('Reason', 'Stolen.')
      await fill('This is final', jkt.slice(0, 8))
      await confirm('Revoke the key')
      await shows(page, `Revoked key ${jkt}`)
      await shows(page, 'remit agent key add shop greeter --key FILE')
    })
    assert.equal(await active(token), false)
    await refused('greeter', 'one')
    await done('keygen', 'greeter-new.key')
    await by('ben', 'agent', 'key', 'add', 'shop', 'greeter', '--key', 'greeter-new.key')
    assert.equal(await active(await minted('greeter', 'one', [], 'greeter-new.key')), true)
    await refused('greeter', 'one')
  })

  test('job 8: who let it happen: from the id of a token to who approved its version', needsChromium, async () => {
    const jti = jtiOf(await minted('clerk', 'one'))
    await job(8, 'eve', async ({ page, room, fill, key }) => {
      await room('Decisions')
      await fill('Explain an id', ` ${jti} `)
      await key('Enter')
      await shows(page, 'version approved')
      const facts = (await texts(page, 'dl.card > *')).join('\n')
      assert.match(facts, /^agent_id\nclerk$/m)
      assert.match(facts, /^bound to key \(jkt\)\n[\w-]{43}$/m)
      assert.match(facts, /^version registered\n\S+ by shop for user:local:anna$/m)
      assert.match(facts, /^version approved\n\S+ by \S+ for user:local:ben$/m)
    })
  })

  test('job 9: why a request was refused, and the command that mends it does', needsChromium, async () => {
    await by('anna', 'agent', 'suspend', 'shop', 'clerk', '--reason', 'A try.')
    const { request_id } = await refused('clerk', 'one')
    const { page } = owners.eve.watched
    let mend = ''
    await job(9, 'eve', async ({ room, click }) => {
      await room('Decisions')
      await click('tr.refused td:last-child ::-p-text(Explain)')
      await shows(page, 'To do')
      mend = (await texts(page, '.command-line')).join()
      await shows(page, request_id)
    })
    await open(page, `#/explain/${request_id}`)
    assert.deepEqual(await texts(page, '.command-line'), [mend], 'by the id of the request')
    assert.equal(mend, 'remit agent resume shop clerk')
    await by('eve', ...mend.split(' ').slice(1))
    await minted('clerk', 'one')
  })

  test('job 10: a workflow that loosens something counts once another owner approved it', needsChromium, async () => {
    const step = ['--workflow', 'patch', '--step', 'apply']
    assert.equal((await given.loosen()).status, 'pending')
    await refused('scanner', 'one', step)
    await job(10, 'ben', async ({ page, room, link, press, confirm }) => {
      await room('Workflows')
      await link('patch')
      // The graph is drawn after the page.
      await become(page, 'svg .step.removed .step-agent', ['a person decides'])
      assert.deepEqual(await texts(page, 'tr.removed td:nth-child(2)'), ['a person decides'])
      assert.deepEqual(await texts(page, 'tr.changed .change'), ['needs approval: yes to no'])
      await press('Approve')
      await shows(page, 'Version 2 of shop/patch counts for every request from now on. Version 1 counts no more.')
      await confirm('Approve')
      await shows(page, 'Version 2 is approved and counts now.')
    })
    await minted('scanner', 'one', step)
  })
})
