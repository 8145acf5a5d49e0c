import { test } from 'node:test'
import { agentGrant, clientCredentials, send } from './attempt.ts'
import { givenWorld } from './given.ts'
test('x', async () => {
  const world = await givenWorld()
  console.log((await send(world, clientCredentials(world))).text)
  console.log((await send(world, agentGrant(world, '/oauth/token', world.solo))).text)
  console.log((await send(world, agentGrant(world, '/intent/token', world.solo))).text)
})
