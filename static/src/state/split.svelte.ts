/** How much of the map shows the first audience, in percent from the left. */
class Split {
  share = $state(50);
}

export const split = new Split();
