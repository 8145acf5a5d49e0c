import { createAgent } from 'remit/shim' // +
import settings from './remit.json' with { type: 'json' } // +

const PROMPT = 'You answer questions about pages.'
const { fetch } = createAgent({ ...settings, prompt: PROMPT }) // +

const answer = await fetch(`${process.env.API_URL}/pages/7`)
console.log(answer.status, await answer.text())
