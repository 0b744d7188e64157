/** The text in the search box: part of the link. */
class Searching {
  text = $state('');
}

export const searching = new Searching();
